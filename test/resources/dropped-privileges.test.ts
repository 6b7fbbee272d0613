// What a process has taken as root, and has to give back when it acts as another user.

import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../support/place.ts";
import { statusOf, until } from "../support/run.ts";

const TAKE = `
  import { lockFileSync, pidFile, tempDir } from "atexit/resources";
  import { chownSync, readdirSync, writeFileSync } from "node:fs";
  const dir = process.env.WORK + "/run";
  const taken = [lockFileSync(dir + "/app.lock"), pidFile(dir + "/app.pid"), tempDir({ dir })];
  writeFileSync(taken[2].path + "/file", "");
  chownSync(taken[2].path, 65_534, 65_534);
  process.setgroups([]); process.setgid(65_534); process.setuid(65_534);`;

const GIVE_BACK = "for (const each of taken) (each.release ?? each.remove).call(each);";

/** A directory in which root takes things, whose owner and mode say what it may do later. */
function makeRun(place: Place, mode: number, owner: number): string {
  const run = join(place.work, "run");
  mkdirSync(run);
  chownSync(run, owner, owner);
  chmodSync(run, mode);
  chmodSync(join(place.work, ".."), 0o711);
  return run;
}

describe("what was taken as root", { skip: process.getuid?.() !== 0 && "needs root", concurrency: 2 }, () => {
  for (const [where, mode] of [
    ["in a directory of root", 0o755],
    ["in a directory as /tmp", 0o1777],
    ["where nobody else may look", 0o700],
  ] as const) {
    for (const [way, leave, status] of [
      ["the natural end", "", "0"],
      ["process.exit(3)", "process.exit(3);", "3"],
      ["SIGTERM", "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
    ] as const) {
      test(`${where} is given back by root's guard after ${way}, whose status stays`, () =>
        inPlace(async (place) => {
          const run = makeRun(place, mode, 0);
          const ended = await place.run(TAKE + leave);
          assert.deepEqual([statusOf(ended), ended.stderr], [status, ""]);
          await until(() => readdirSync(run).length === 0);
        }));
    }
  }

  test("and is given back before the end is the guard's, and a line for each says so", () =>
    inPlace(async (place) => {
      const run = makeRun(place, 0o755, 0);
      const { code, stdout, stderr } = await place.run(
        `${TAKE} ${GIVE_BACK} console.log(readdirSync(dir).includes("app.pid"), taken[0].isHeld());`,
      );
      assert.deepEqual([code, stdout], [0, "true false\n"], stderr);
      const lines = stderr.split("\n").slice(0, -1);
      assert.equal(lines.length, 4, stderr);
      for (const line of lines) assert.match(line, /^atexit: "(?:unlock|remove) .*" is left to its guard, when/);
      await until(() => readdirSync(run).length === 0);
    }));

  test("without a guard is left to root's next start, and a line for each says so", () =>
    inPlace(async (place) => {
      const run = makeRun(place, 0o755, 0);
      const { code, stderr } = await place.run(TAKE, { env: { ATEXIT_GUARD: "off" } });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^(?:atexit: "(?:unlock|remove) .*" is left to the next program of its user .*\n){4}$/);
      await place.recover();
      assert.deepEqual(readdirSync(run), []);
    }));

  for (const [when, act] of [
    ["at the end", ""],
    ["by hand", `${GIVE_BACK} console.log(...readdirSync(dir));`],
  ] as const) {
    test(`is given back ${when} by the process itself, where the directory is its new user's`, () =>
      inPlace(async (place) => {
        const run = makeRun(place, 0o755, 65_534);
        const { code, stdout, stderr } = await place.run(TAKE + act, { env: { ATEXIT_GUARD: "off" } });
        assert.deepEqual([code, stdout.trim(), stderr], [0, "", ""]);
        assert.deepEqual(readdirSync(run), []);
        await place.recover();
      }));
  }
});
