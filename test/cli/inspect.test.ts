// atexit ps, recover and log.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Replayed } from "../../src/durable/index.ts";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { printed, run } from "../support/run.ts";

/** A program with a recipe whose name would move the cursor, and which stays. */
const PROGRAM = `
  import { writeFileSync } from "node:fs";
  import { exec, remove } from "atexit/durable";
  process.chdir(process.env.WORK);
  writeFileSync("evil\\x1b[2J", "");
  remove("evil\\x1b[2J");
  exec("touch", [process.env.WORK + "/touched"]);
  console.log("ready");
  setInterval(() => {}, 1_000);`;

/** Leaves a dead process's recipes behind, with no guard to carry them out. */
async function leaveBehind(place: Place): Promise<void> {
  await place.run(PROGRAM, {
    env: { ATEXIT_GUARD: "off" },
    act: async (child) => {
      await printed(child, "ready\n");
      child.kill("SIGKILL");
    },
  });
}

test("ps: live processes, and what they would clean up, in that order", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    await place.run(PROGRAM, {
      env: { ATEXIT_GUARD: "off" },
      act: async (child) => {
        await printed(child, "ready\n");
        const { code, stdout, stderr } = await atexit(place, ["ps"]);
        assert.deepEqual([code, stderr], [0, ""]);
        const [first, ...recipes] = stdout.trimEnd().split("\n") as [string, ...string[]];
        assert.match(first, new RegExp(`^ *${child.pid} +\\d+s  .*program\\.mjs`));
        assert.deepEqual(
          recipes.map((line) => line.trim()),
          [`exec touch ${place.work}/touched`, `remove ${place.work}/evil\\u{1b}[2J`],
        );
        const owners = JSON.parse((await atexit(place, ["ps", "--json"])).stdout) as {
          pid: number;
          life: string;
          pending: unknown[];
        }[];
        assert.deepEqual(
          owners.map(({ pid, life, pending }) => [pid, life, pending.length]),
          [[child.pid, "alive", 2]],
        );
        child.kill("SIGTERM");
      },
    });
    assert.equal((await atexit(place, ["ps"])).stdout, "No live process has anything pending.\n");
    await place.recover();
  }));

test("recover: shown by --dry-run, carried out without it, and told by log", () =>
  inPlace(async (place) => {
    assert.equal((await atexit(place, ["recover"])).stdout, "Dead processes have left nothing.\n");
    assert.match((await atexit(place, ["log"])).stdout, /^Nothing was ever carried out/);
    await leaveBehind(place);
    const shown = await atexit(place, ["recover", "--dry-run"]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.deepEqual(shown.stdout.match(/pending/g)?.length, 2);
    assert.ok(existsSync(join(place.work, "evil\x1b[2J")));
    const done = JSON.parse((await atexit(place, ["recover", "--json"])).stdout) as Replayed[];
    assert.deepEqual(
      done.map(({ outcome }) => outcome),
      ["done", "done"],
    );
    assert.ok(!existsSync(join(place.work, "evil\x1b[2J")) && existsSync(join(place.work, "touched")));
    const log = await atexit(place, ["log"]);
    assert.match(
      log.stdout,
      /^20\S+Z  done {8}exec touch .*\n20\S+Z  done {8}remove .*evil\\u\{1b\}\[2J .* for \d+ \(.*program\.mjs/,
    );
    assert.equal((await atexit(place, ["log", "-n", "1"])).stdout.split("\n").length, 2);
  }));

test("recover ends with 1 where something fails, and says why", () =>
  inPlace(async (place) => {
    await place.run(
      `
      import { exec } from "atexit/durable";
      exec("sh", ["-c", "echo the disk is full >&2; exit 4"]);
      process.kill(process.pid, "SIGKILL");`,
      { env: { ATEXIT_GUARD: "off" } },
    );
    const { code, stdout } = await atexit(place, ["recover"]);
    assert.equal(code, 1);
    assert.match(stdout, /failed .*\n.*the disk is full/);
  }));

test("on a terminal, work that takes longer than a second says what it is", () =>
  inPlace(async (place) => {
    await place.run(
      `
      import { exec } from "atexit/durable";
      exec("sleep", ["1.5"]);
      process.kill(process.pid, "SIGKILL");`,
      { env: { ATEXIT_GUARD: "off" } },
    );
    const command = `${process.execPath} ${CLI} recover`;
    const { stdout } = await run("script", ["-qec", command, "/dev/null"], { env: place.environment });
    assert.match(stdout, /\r\x1b\[KCarrying out what dead processes have left … 1 s\r\x1b\[K/);
    assert.match(stdout, /exec sleep 1\.5/);
  }));

test("colours on a terminal, and none by NO_COLOR or elsewhere", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    const onTerminal = (env: NodeJS.ProcessEnv) =>
      run("script", ["-qec", `${process.execPath} ${CLI} recover --dry-run`, "/dev/null"], {
        env: { ...place.environment, FORCE_COLOR: undefined, TERM: "xterm", ...env },
      });
    assert.match((await onTerminal({})).stdout, /\x1b\[36mpending/);
    assert.ok(!(await onTerminal({ NO_COLOR: "1" })).stdout.includes("\x1b["));
    assert.ok(!(await atexit(place, ["recover", "--dry-run"])).stdout.includes("\x1b["));
    await place.recover();
  }));
