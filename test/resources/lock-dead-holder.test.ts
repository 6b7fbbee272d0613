// Waiting until what a dead holder has left is gone: in another process, and no
// longer than is said.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { here, recordOfKilled, unguarded } from "./lock-programs.ts";

test(
  "a command of a dead holder that takes long: limits and signals are heard, and nothing runs in the waiting process",
  here(async (place) => {
    await recordOfKilled(
      place,
      `const { exec } = await import("atexit/durable");
       exec("sh", ["-c", 'sleep 15; touch "$1"', "sh", process.env.WORK + "/done"], { timeout: 60_000 });`,
    );
    const { stdout, stderr } = await place.run(
      `
      import { readdirSync } from "node:fs";
      import { lockFile, lockFileSync } from "atexit/resources";
      const path = process.env.WORK + "/locks/app.lock";
      const startedAt = performance.now();
      const report = (name, limit) => (error) => {
        const took = performance.now() - startedAt;
        console.log(name, error.code ?? error.name, error.life, took >= limit - 1 && took < limit + 3_000);
      };
      let turns = 0;
      const timer = setInterval(() => (turns += 1), 10);
      await Promise.all([
        lockFile(path, { wait: 60_000, signal: AbortSignal.timeout(1_500) }).catch(report("signal", 1_500)),
        lockFile(path).catch(report("no wait", 10_000)),
        lockFile(path, { wait: 1_000 }).catch(report("a second", 10_000)),
        lockFile(path, { wait: 11_000 }).catch(report("eleven", 11_000)),
      ]);
      clearInterval(timer);
      const claims = readdirSync(process.env.ATEXIT_DIR).filter((name) => name.endsWith(".claim"));
      console.log(turns > 200, claims.length, claims.some((name) => name.includes("-" + process.pid + "-")));
      lockFileSync(path, { wait: 60_000 }).release();
      console.log("taken");`,
      { limit: 90_000 },
    );
    assert.deepEqual(
      stdout.trim().split("\n").sort(),
      [
        "a second ERR_ATEXIT_LOCK_HELD dead true",
        "eleven ERR_ATEXIT_LOCK_HELD dead true",
        "no wait ERR_ATEXIT_LOCK_HELD dead true",
        "signal 23 undefined true",
        "taken",
        "true 1 false",
      ],
      stderr,
    );
    assert.ok(existsSync(join(place.work, "done")));
  }),
);

test(
  "a dead holder's recipes are carried out for one who blocks its event loop, and has no guard",
  here(async (place) => {
    await recordOfKilled(
      place,
      `const { exec } = await import("atexit/durable");
       exec("touch", [process.env.WORK + "/done"]);`,
    );
    const { stdout, stderr } = await place.run(
      `import { existsSync } from "node:fs";
       import { lockFileSync } from "atexit/resources";
       lockFileSync(process.env.WORK + "/locks/app.lock");
       console.log(existsSync(process.env.WORK + "/done"));`,
      { env: unguarded(place) },
    );
    assert.equal(stdout, "true\n", stderr);
  }),
);
