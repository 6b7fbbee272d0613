// A lock in a directory that several pid namespaces share, as containers do: whether a
// holder there lives is told by kernel locks alone, on its owner file or on its journal.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Life } from "../../src/platform/process-identity.ts";
import { inPlace, type Place } from "../support/place.ts";
import { CONTAINER } from "../support/processes.ts";
import { withProgram } from "../support/program.ts";
import { printed, run, until } from "../support/run.ts";

/** Holds a lock and blocks at once: so many locks in a second have no kernel lock at once, and it never gets to that. */
const HOLD_AND_BLOCK = `
  import { writeSync } from "node:fs";
  import { lockFileSync } from "atexit/resources";
  for (const name of ["a", "b", "c", "d", "the"]) lockFileSync(process.env.WORK + "/" + name + ".lock");
  writeSync(1, "held");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;

const STATE = `
  import { lockFile } from "atexit/resources";
  console.log(lockFile.check(process.env.WORK + "/the.lock")?.life ?? "free");`;

const TAKE = `
  import { lockFile } from "atexit/resources";
  try {
    await lockFile(process.env.WORK + "/the.lock", { wait: 500 });
    console.log("taken");
  } catch ({ code, life }) {
    console.log(code, life);
  }`;

const WAIT = `
  import { lockFile } from "atexit/resources";
  await lockFile(process.env.WORK + "/the.lock", { wait: Infinity });
  console.log("taken");`;

/** Kills a whole container whose holder's owner file has no kernel lock. Returns what the body has, which begins while it lives. */
async function killHolder<T>(place: Place, begun: () => Promise<T>): Promise<T> {
  let result: Promise<T> | undefined;
  await withProgram(HOLD_AND_BLOCK, "program.mjs", (path) =>
    run("unshare", [...CONTAINER, process.execPath, path], {
      env: place.environment,
      async act(container) {
        await printed(container, "held");
        await until(() => journalsOf(place).some(isLocked));
        assert.ok(!isLocked(readFileSync(join(place.work, "the.lock"), "utf8")), "the owner file must not be locked");
        result = begun();
        await result;
        container.kill("SIGKILL");
      },
    }),
  );
  return result as Promise<T>;
}

const isLocked = (text: string): boolean => text.includes('{"locked":true}');

const journalsOf = (place: Place): string[] =>
  place.left().map((file) => readFileSync(join(place.journals, file), "utf8"));

const printedBy = async (place: Place, source: string): Promise<string> => (await place.run(source)).stdout.trim();

describe("a lock of another container", { skip: process.getuid?.() !== 0 && "needs root" }, () => {
  test("whose holder was killed before its owner file was locked is known as dead by its journal", () =>
    inPlace(async (place) => {
      assert.equal(await killHolder(place, () => printedBy(place, STATE)), "unknown" satisfies Life);
      await place.quiet();
      assert.equal(await printedBy(place, STATE), "dead" satisfies Life);
    }));

  test("is not had while its holder may live, and then by the one that waits, when all is cleaned up", () =>
    inPlace(async (place) => {
      const waiting = await killHolder(place, async () => {
        assert.equal(await printedBy(place, TAKE), "ERR_ATEXIT_LOCK_HELD unknown");
        const waiter = printedBy(place, WAIT);
        const owners = () => readdirSync(place.work).filter((name) => name.startsWith("the.lock."));
        await until(() => owners().length === 2);
        return { waiter };
      });
      assert.equal(await waiting.waiter, "taken");
      await place.quiet();
      await place.recover();
      assert.deepEqual([readdirSync(place.work), place.left()], [[], []]);
    }));

  test("counts as held where its journal is gone", () =>
    inPlace(async (place) => {
      await killHolder(place, async () => {});
      await place.quiet();
      rmSync(place.journals, { recursive: true });
      assert.equal(await printedBy(place, TAKE), "ERR_ATEXIT_LOCK_HELD unknown");
    }));
});
