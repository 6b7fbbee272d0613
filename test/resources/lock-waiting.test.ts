// Waiting for a lock: in what order, and how long.

import assert from "node:assert/strict";
import { statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { lockFile } from "../../src/resources/index.ts";
import { inPlace, type Place } from "../support/place.ts";
import { printed, until } from "../support/run.ts";
import { here, HOLD, locksLeft, STAY, whileHeld } from "./lock-programs.ts";

const WAIT = `
  import { lockFile } from "atexit/resources";
  const lock = await lockFile(process.env.WORK + "/locks/app.lock", { wait: Infinity });
  console.log("taken");`;

/** The file of the one that has begun to wait since these files were there: nobody has told it of its turn. */
async function newWaiter(place: Place, before: readonly string[]): Promise<string> {
  const paths = () =>
    locksLeft(place).flatMap((name) => (before.includes(name) ? [] : join(place.work, "locks", name)));
  await until(() => paths().some((path) => statSync(path).atimeMs === 0));
  return paths()[0] as string;
}

describe("waiting", () => {
  test(
    "a release is noticed at once, in the order of events",
    here(async (place) => {
      await place.run(
        `${HOLD} process.stdin.once("data", () => { lock.release(); console.log("released", performance.timeOrigin + performance.now()); });`,
        {
          stdio: ["pipe", "pipe", "pipe"],
          async act(holder) {
            await printed(holder, "held");
            const waiter = await place.run(`console.log("waiting");${WAIT}`, {
              async act(child) {
                await printed(child, "waiting");
                holder.stdin?.end("x");
                await printed(child, "taken");
              },
            });
            assert.equal(waiter.code, 0);
          },
        },
      );
    }),
  );

  test(
    "ends with its time, and with its signal, and leaves nothing",
    here((place) =>
      whileHeld(place, STAY, async () => {
        const { stdout, stderr } = await place.run(`
          import { count } from "atexit";
          import { lockFile, lockFileSync } from "atexit/resources";
          const path = process.env.WORK + "/locks/app.lock";
          for (const take of [lockFile, lockFileSync]) {
            const startedAt = performance.now();
            try { await take(path, { wait: 100 }); } catch (error) { console.log(error.code, performance.now() - startedAt >= 99); }
          }
          const reason = new Error("enough");
          const controller = new AbortController();
          setTimeout(() => controller.abort(reason), 30);
          await lockFile(path, { wait: Infinity, signal: controller.signal }).catch((error) => console.log(error === reason));
          await lockFile(path, { wait: Infinity, signal: AbortSignal.abort(reason) }).catch((error) => console.log(error === reason));`);
        assert.equal(stdout, "ERR_ATEXIT_LOCK_HELD true\nERR_ATEXIT_LOCK_HELD true\ntrue\ntrue\n", stderr);
      }),
    ),
  );

  for (const [what, signal] of [
    ["an AbortController", new AbortController()],
    ["null", null],
    ["a text", "SIGTERM"],
    ["half of one", { aborted: false, throwIfAborted() {} }],
  ] as const) {
    test(
      `is refused with ${what} in place of a signal, in words that say so`,
      here(async (_, lock) => {
        await assert.rejects(lockFile(lock, { signal: signal as never }), {
          name: "TypeError",
          code: "ERR_ATEXIT_OPTION",
          message: /^signal must be an AbortSignal/,
        });
      }),
    );
  }

  test("of many with one signal puts one listener on it, which is gone when nobody waits any more", () =>
    inPlace(async (place) => {
      const { stdout, stderr } = await place.run(`
        import { lockFile } from "atexit/resources";
        import { getEventListeners } from "node:events";
        const path = process.env.WORK + "/app.lock";
        const held = await lockFile(path);
        for (const end of ["abort", "release"]) {
          const controller = new AbortController();
          const { signal } = controller;
          const waits = Array.from({ length: 50 }, async () => {
            const lock = await lockFile(path, { wait: Infinity, signal });
            lock.release();
          });
          const results = Promise.allSettled(waits);
          await new Promise((resolve) => setTimeout(resolve, 20));
          console.log(getEventListeners(signal, "abort").length);
          if (end === "abort") controller.abort();
          else held.release();
          const ends = (await results).map(({ status, reason }) => status + (reason?.name ?? ""));
          console.log(...new Set(ends), getEventListeners(signal, "abort").length);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));`);
      assert.deepEqual([stdout, stderr], ["1\nrejectedAbortError 0\n1\nfulfilled 0\n", ""]);
    }));

  test(
    "among many in one process, each has it once, one at a time",
    here(async (_, lock) => {
      let holders = 0;
      const turns = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const held = await lockFile(lock, { wait: Number.POSITIVE_INFINITY });
          holders += 1;
          assert.equal(holders, 1);
          await new Promise((resolve) => setTimeout(resolve, 1));
          holders -= 1;
          held.release();
          return n;
        }),
      );
      assert.equal(turns.length, 20);
    }),
  );

  test(
    "whoever lets go wakes the one that has waited longest, then the next, and does not wait for those who cannot",
    here(async (place, lock) => {
      const first = await lockFile(lock);
      let files = locksLeft(place);
      const waiters: string[] = [];
      const start = (then: () => Promise<void>) =>
        place.run(WAIT, {
          async act(child) {
            waiters.push(await newWaiter(place, files));
            files = locksLeft(place);
            // What it is told it does not hear, nor does it look.
            child.kill("SIGSTOP");
            await then();
            child.kill("SIGCONT");
            await printed(child, "taken");
          },
        });
      const told = () => waiters.map((path) => statSync(path).atimeMs > 0);
      const ended = await start(async () => {
        const other = await start(async () => {
          assert.deepEqual([first.isHeld(), told()], [true, [false, false]]);
          first.release();
          await until(() => told()[0] === true);
          assert.deepEqual(told(), [true, false]);
          (await lockFile(lock, { wait: 60_000 })).release();
          await until(() => told()[1] === true);
        });
        assert.equal(other.code, 0, other.stderr);
      });
      assert.equal(ended.code, 0, ended.stderr);
    }),
  );

  test(
    "two that want it again and again have it for some turns each: to change hands takes longer than a turn",
    here(async (place) => {
      const source = `
        import { readFileSync, writeFileSync } from "node:fs";
        import { lockFile } from "atexit/resources";
        const last = process.env.WORK + "/last";
        const all = 4_000;
        let [turns, changes] = [0, 0];
        while (turns < all) {
          const lock = await lockFile(process.env.WORK + "/locks/app.lock", { wait: Infinity });
          const [pid, before] = readFileSync(last, "utf8").split(" ").map(Number);
          turns = before + 1;
          if (pid !== process.pid) changes += 1;
          writeFileSync(last, process.pid + " " + turns);
          await new Promise(setImmediate);
          lock.release();
        }
        console.log(changes);`;
      writeFileSync(join(place.work, "last"), "0 0");
      const both = await Promise.all([place.run(source), place.run(source)]);
      const changes = both.map(({ stdout, stderr }) => {
        assert.equal(stderr, "");
        return Number(stdout);
      });
      // Each has had it, and not one turn at a time.
      assert.ok(Math.min(...changes) > 1 && Math.max(...changes) < 1_000, changes.join());
    }),
  );

  test(
    "whoever was told of its turn looks seldom from then on: a look that finds the lock free takes it out of turn",
    here(async (place, lock) => {
      const held = await lockFile(lock);
      const before = locksLeft(place);
      const { stdout, stderr } = await place.run(
        `
        import { once } from "node:events";
        import fs from "node:fs";
        import { lockFile } from "atexit/resources";
        const { linkSync } = fs;
        const looks = [];
        fs.linkSync = (...args) => {
          looks.push(performance.now());
          return linkSync(...args);
        };
        const waiting = lockFile(process.env.WORK + "/locks/app.lock", { wait: Infinity });
        await once(process.stdin, "data");
        const told = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 400));
        const pauses = looks.map((time, n) => time - looks[n - 1]).filter((_, n) => looks[n] > told);
        // It looks when it is told, when it has said that it came too late, and when it was to look who holds the lock.
        console.log("looked", pauses.length > 3 && pauses.filter((pause) => pause < 40).length < 4, pauses.join());
        (await waiting).release();
        process.exit();`,
        {
          stdio: ["pipe", "pipe", "pipe"],
          async act(child) {
            const waiter = await newWaiter(place, before);
            utimesSync(waiter, new Date(), statSync(waiter).mtime);
            child.stdin?.write("told");
            await printed(child, "looked");
            held.release();
          },
        },
      );
      assert.match(stdout, /^looked true/, stdout + stderr);
    }),
  );

  test(
    "of hundreds in one thread is in their order, and one of them looks for all",
    here(async (place) => {
      const { stdout, stderr } = await place.run(`
        import fs from "node:fs";
        import { lockFile } from "atexit/resources";
        const { linkSync } = fs;
        const path = process.env.WORK + "/locks/app.lock";
        const all = 200;
        const turns = [];
        let looks = 0;
        fs.linkSync = (...args) => {
          looks += 1;
          return linkSync(...args);
        };
        await Promise.all(
          Array.from({ length: all }, async (_, n) => {
            const lock = await lockFile(path, { wait: Infinity });
            turns.push(n);
            await new Promise((resolve) => setTimeout(resolve, 2));
            lock.release();
          }),
        );
        console.log(turns.length === all && turns.every((n, at) => n === at), looks < 10 * all);`);
      assert.equal(stdout, "true true\n", stderr);
    }),
  );

  test(
    "in the line of one thread ends with its time, and with its signal, and those behind go on",
    here(async (_, lock) => {
      const held = await lockFile(lock);
      const forEver = { wait: Number.POSITIVE_INFINITY };
      const controller = new AbortController();
      const first = lockFile(lock, { ...forEver, signal: controller.signal });
      const second = lockFile(lock, { wait: 20 });
      const third = lockFile(lock, forEver);
      await assert.rejects(second, { code: "ERR_ATEXIT_LOCK_HELD" });
      controller.abort();
      await assert.rejects(first, { name: "AbortError" });
      held.release();
      (await third).release();
    }),
  );
});
