// Waiting for a lock: in what order, and how long.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lockFile } from "../../src/resources/index.ts";
import { printed } from "../support/run.ts";
import { here, HOLD, STAY, whileHeld } from "./lock-programs.ts";

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
            const waiter = await place.run(
              `import { lockFile } from "atexit/resources";
               console.log("waiting");
               const lock = await lockFile(process.env.WORK + "/locks/app.lock", { wait: Infinity });
               console.log("taken");`,
              {
                async act(child) {
                  await printed(child, "waiting");
                  holder.stdin?.end("x");
                  await printed(child, "taken");
                },
              },
            );
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
});
