// What a lock promises apart from stress: its errors, its end on every way out,
// and its next holder.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lockFile, lockFileSync } from "../../src/resources/index.ts";
import { statusOf } from "../support/run.ts";
import { urlOf } from "../support/package-under-test.ts";
import { here, HOLD, locksLeft, STAY, tries, whileHeld } from "./lock-programs.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

test(
  "a held lock says who holds it, since when, and what to do",
  here((place, lock) =>
    whileHeld(place, STAY.replace("10_000", "10_000, data: { port: 8080 }"), async (pid) => {
      for (const error of await tries(place)) {
        assert.ok(error !== "taken");
        assert.deepEqual(
          [error.name, error.code, error.path, error.pid, error.data],
          ["LockHeldError", "ERR_ATEXIT_LOCK_HELD", lock, pid, { port: 8080 }],
        );
        assert.ok(Math.abs(Date.now() - new Date(error.since).getTime()) < 60_000);
        assert.match(error.program as string, /program\.mjs/);
        assert.match(
          error.message,
          new RegExp(
            `app\\.lock is held by process ${pid} on .*program\\.mjs.* since .*Z \\(.*\\)\\. Stop that process, or wait`,
          ),
        );
      }
    }),
  ),
);

for (const [way, leave, status] of [
  ["the natural end", "", "0"],
  ["process.exit", "process.exit(3);", "3"],
  ["a throw", "throw new Error('thrown');", "1"],
  ["SIGTERM", "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
  ["SIGKILL", "process.kill(process.pid, 'SIGKILL');", "SIGKILL"],
  ["process.abort()", "process.abort();", "SIGABRT"],
] as const) {
  test(
    `${way} lets it go, and leaves nothing`,
    here(async (place) => {
      const ended = await place.run(HOLD + leave);
      assert.equal(statusOf(ended), status, ended.stderr);
      await place.quiet();
      assert.deepEqual([locksLeft(place), place.left()], [[], []]);
    }),
  );
}

test(
  "a released lock leaves nothing, however often in a turn of the event loop",
  here(async ({ work }) => {
    for (let n = 0; n < 10; n += 1) {
      const directory = join(work, `own-${n}`);
      mkdirSync(directory);
      lockFileSync(join(directory, "app.lock")).release();
      rmdirSync(directory); // throws where anything is in it
    }
    const directory = join(work, "emptied");
    for (let n = 0; n < 10; n += 1) {
      mkdirSync(directory);
      const lock = await lockFile(join(directory, "app.lock"));
      assert.ok(lock.isHeld());
      rmSync(directory, { recursive: true });
      lock.release();
    }
  }),
);

test(
  "the next one has it as soon as what a killed holder left has been cleaned up, and not sooner",
  here(async (place) => {
    const source = `
      import { exec } from "atexit/durable";
      ${HOLD.trim().replace(/^import.*$/m, 'import { lockFile } from "atexit/resources";')}
      exec("sh", ["-c", 'sleep 0.3; echo cleaned >>"$1"', "sh", process.env.WORK + "/trace"]);
      process.kill(process.pid, "SIGKILL");`;
    for (const take of ["await lockFile", "lockFileSync"]) {
      await place.run(source);
      const { stdout, stderr } = await place.run(`
        import { lockFile, lockFileSync } from "atexit/resources";
        import { readFileSync } from "node:fs";
        ${take}(process.env.WORK + "/locks/app.lock");
        console.log(readFileSync(process.env.WORK + "/trace", "utf8"));`);
      assert.equal(stdout, "cleaned\n\n", stderr);
      rmSync(join(place.work, "trace"));
      await place.quiet();
    }
  }),
);

for (const guard of ["on", "off"]) {
  test(
    `a holder that was killed blocks nobody (guard ${guard})`,
    here(async (place) => {
      for (const take of ["await lockFile", "lockFileSync"]) {
        await place.run(`${HOLD} process.kill(process.pid, "SIGKILL");`, {
          env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work, ATEXIT_GUARD: guard },
        });
        const { stdout, stderr, code } = await place.run(`
          import { lockFile, lockFileSync } from "atexit/resources";
          ${take}(process.env.WORK + "/locks/app.lock");
          console.log("taken");`);
        assert.deepEqual([stdout, code], ["taken\n", 0], stderr);
        await place.quiet();
        assert.deepEqual([locksLeft(place), place.left()], [[], []]);
      }
    }),
  );
}

test(
  "a worker thread that was terminated holds no lock",
  here(async (place) => {
    const { stdout, stderr } = await place.run(`
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      import { lockFile } from "atexit/resources";
      const path = process.env.WORK + "/locks/app.lock";
      const source = \`
        import(${JSON.stringify(urlOf("atexit/resources"))}).then(async ({ lockFile }) => {
          await lockFile(\${JSON.stringify(path)});
          require("node:worker_threads").parentPort.postMessage("held");
        });
        setInterval(() => {}, 1_000);\`;
      const worker = new Worker(source, { eval: true });
      await once(worker, "message");
      await lockFile(path).catch((error) => console.log(error.code));
      await worker.terminate();
      const lock = await lockFile(path);
      console.log(lock.isHeld());`);
    assert.equal(stdout, "ERR_ATEXIT_LOCK_HELD\ntrue\n", stderr);
    await place.quiet();
    assert.deepEqual(locksLeft(place), []);
  }),
);

test(
  "is let go at the end of a scope, once; a second release does not take it from the next",
  here(async (_, lock) => {
    const first = lockFileSync(lock);
    await first[Symbol.asyncDispose]();
    const second = lockFileSync(lock);
    first[Symbol.dispose]();
    first.release();
    assert.deepEqual([first.isHeld(), second.isHeld()], [false, true]);
    second.release();
    assert.equal(existsSync(lock), false);
  }),
);

for (const [what, script, code] of [
  ["a read-only file system", 'mount -t tmpfs -o ro none "$1"', "EROFS"],
  [
    "a full file system",
    'mount -t tmpfs -o size=4k,nr_inodes=3 none "$1"; head -c 4096 /dev/zero >"$1/ballast" || true',
    "ENOSPC",
  ],
  ["a directory that is not there", 'rmdir "$1"', "ENOENT"],
] as const) {
  test(
    `${what}: an error that says so, and nothing is left`,
    { skip: notRoot },
    here(async (place) => {
      const { stdout, stderr } = await place.run(`
        import { execFileSync } from "node:child_process";
        import { readdirSync } from "node:fs";
        import { count } from "atexit";
        import { lockFile, lockFileSync } from "atexit/resources";
        const directory = process.env.WORK + "/locks";
        execFileSync("sh", ["-c", ${JSON.stringify(script)}, "sh", directory]);
        try {
          for (const take of [lockFile, lockFileSync]) {
            try { await take(directory + "/app.lock"); console.log("taken"); }
            catch (error) { console.log(error.code, error.cause.code, count(), /directory that this program may write/.test(error.message)); }
          }
          ${code === "ENOENT" ? "" : 'console.log(readdirSync(directory).filter((name) => name !== "ballast"));'}
        } finally {
          ${code === "ENOENT" ? "" : 'execFileSync("umount", [directory]);'}
        }`);
      const line = `ERR_ATEXIT_LOCK ${code} 0 true\n`;
      assert.equal(stdout, line + line + (code === "ENOENT" ? "" : "[]\n"), stderr);
      assert.deepEqual(place.left(), []);
    }),
  );
}

test("bad arguments are refused", async () => {
  for (const [path, options, code] of [
    ["", {}, "ERR_ATEXIT_OPTION"],
    ["a\0b", {}, "ERR_ATEXIT_OPTION"],
    ["a.lock", { wait: -1 }, "ERR_ATEXIT_TIME"],
    ["a.lock", { wait: Number.NaN }, "ERR_ATEXIT_TIME"],
    ["a.lock", { data: () => {} }, "ERR_ATEXIT_JSON"],
  ] as const) {
    const loose: object = options;
    assert.throws(() => lockFileSync(path, loose), { code });
    await assert.rejects(lockFile(path, loose), { code });
  }
  assert.equal(existsSync("a.lock"), false);
});
