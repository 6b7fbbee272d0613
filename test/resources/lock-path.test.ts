// A lock whose path, or the paths beside it, are something else than a lock: other
// users can make anything in a directory such as /tmp.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { lockFileSync } from "../../src/resources/index.ts";
import { printed } from "../support/run.ts";
import { here, locksLeft, recordOfKilled, STAY, tries } from "./lock-programs.ts";

const fifo = (path: string) => void execFileSync("mkfifo", [path]);

const things: Record<string, (path: string) => unknown> = {
  "a directory": (path) => mkdirSync(path),
  "a named pipe": fifo,
  "a symbolic link": (path) => symlinkSync("nowhere", path),
  "a symbolic link of a lock": (path) => {
    writeFileSync(`${path}.target`, "");
    symlinkSync(`${path}.target`, path);
  },
  "a symbolic link of a pipe": (path) => {
    fifo(`${path}.target`);
    symlinkSync(`${path}.target`, path);
  },
  "a socket": (path) =>
    new Promise((listening) => {
      const server = createServer().listen(path, () => listening(server.unref()));
    }),
};

const answers = `
  import { lockFile, lockFileSync } from "atexit/resources";
  const path = process.env.WORK + "/locks/app.lock";
  for (const take of [lockFile, lockFileSync]) {
    await (async () => take(path, { wait: 60_000 }))().catch(({ code, message }) => console.log(code, message));
  }`;

for (const [what, make] of Object.entries(things)) {
  test(
    `${what} at the lock's path: an error says so at once, and it stays`,
    here(async (place, lock) => {
      await make(lock);
      const before = readdirSync(dirname(lock));
      const { stdout, stderr, code } = await place.run(answers, { limit: 20_000 });
      assert.equal(stderr, "");
      assert.equal(code, 0, "it did not wait");
      const lines = stdout.trim().split("\n");
      assert.equal(lines.length, 2);
      const kind = /^a( \w+){1,2}?(?= of|$)/.exec(what)?.[0];
      const expected =
        what === "a directory"
          ? /^ERR_ATEXIT_LOCK_HELD .*app\.lock is a directory .* as proper-lockfile makes it.* rmdir/
          : new RegExp(`^ERR_ATEXIT_LOCK .*app\\.lock cannot be taken: it is ${kind}\\b`);
      for (const line of lines) assert.match(line, expected);
      assert.deepEqual(readdirSync(dirname(lock)), before);
    }),
  );
}

test(
  "a program that asks for a lock where a pipe is hears signals",
  here(async (place, lock) => {
    fifo(lock);
    const { signal } = await place.run(
      `import { lockFile } from "atexit/resources";
       setInterval(() => {}, 1_000);
       await lockFile(process.env.WORK + "/locks/app.lock", { wait: 500 }).catch(() => console.log("refused"));`,
      {
        limit: 20_000,
        async act(child) {
          await printed(child, "refused");
          child.kill("SIGTERM");
        },
      },
    );
    assert.equal(signal, "SIGTERM");
  }),
);

for (const [what, make] of Object.entries(things)) {
  if (what === "a socket") continue; // ends with its process
  test(
    `${what} has taken the lock's place: what else its killed holder left is cleaned up`,
    here(async (place, lock) => {
      const source = `
        import { remove } from "atexit/durable";
        import { writeFileSync } from "node:fs";
        writeFileSync(process.env.WORK + "/first", "");
        remove(process.env.WORK + "/first");
        ${STAY}
        writeFileSync(process.env.WORK + "/second", "");
        remove(process.env.WORK + "/second");
        console.log("ready");`;
      await place.run(source, {
        async act(child) {
          await printed(child, "ready");
          rmSync(lock);
          make(lock);
          child.kill("SIGKILL");
        },
      });
      await place.quiet();
      assert.deepEqual([existsSync(join(place.work, "first")), existsSync(join(place.work, "second"))], [false, false]);
      assert.deepEqual(
        locksLeft(place).filter((name) => !name.endsWith(".target")),
        ["app.lock"],
      );
      assert.deepEqual(place.left(), []);
    }),
  );
}

test(
  "what others have made beside a lock, with names of owner files, is neither opened nor removed",
  here(async (place, lock) => {
    const { token } = (await recordOfKilled(place)) as { token: string };
    const named = (n: number) => `${lock}.${token.slice(0, -8)}${n.toString(16).padStart(8, "0")}`;
    fifo(named(1));
    symlinkSync(place.work, named(2));
    mkdirSync(named(3));
    writeFileSync(named(4), "somebody's data");
    writeFileSync(`${named(5)}.break-0`, "somebody's data");
    fifo(`${named(6)}.break-0`);
    assert.deepEqual(await tries(place), ["taken", "taken"]);
    await place.recover();
    const left = [named(1), named(2), named(3), named(4), `${named(5)}.break-0`, `${named(6)}.break-0`];
    assert.deepEqual(
      locksLeft(place).map((name) => join(dirname(lock), name)),
      left,
    );
    assert.equal(lstatSync(named(1)).isFIFO(), true);
    assert.equal(readFileSync(named(4), "utf8"), "somebody's data");
  }),
);

test(
  "a pipe where the breaker's file would be: an error says so, and replays do not wait for it",
  here(async (place, lock) => {
    const { token } = (await recordOfKilled(place)) as { token: string };
    rmSync(place.journals, { recursive: true });
    mkdirSync(place.journals, { mode: 0o700 });
    fifo(`${lock}.${token}.break-0`);
    for (const error of await tries(place)) {
      assert.ok(error !== "taken" && (error.code as string) === "ERR_ATEXIT_LOCK");
      assert.match(error.message, /break-0 cannot be taken: it is a named pipe/);
    }
  }),
);

test(
  "thousands of files beside a lock do not hold it up",
  here(async (place, lock) => {
    const { token } = (await recordOfKilled(place)) as { token: string };
    for (let n = 0; n < 20_000; n += 1) {
      writeFileSync(`${lock}.${token.slice(0, -8)}${n.toString(16).padStart(8, "0")}`, "");
    }
    const { stdout } = await place.run(
      `import { lockFileSync } from "atexit/resources";
       const startedAt = performance.now();
       lockFileSync(process.env.WORK + "/locks/app.lock");
       console.log(performance.now() - startedAt < 5_000);`,
    );
    assert.equal(stdout, "true\n");
  }),
);

test(
  "a released lock leaves nothing: its directory can be removed at once",
  here(async (place, lock) => {
    const { stdout, stderr } = await place.run(`
      import { mkdirSync, rmdirSync } from "node:fs";
      import { lockFile, lockFileSync } from "atexit/resources";
      const directory = process.env.WORK + "/locks";
      for (const take of [lockFile, lockFileSync]) {
        (await take(directory + "/app.lock")).release();
        rmdirSync(directory);
        mkdirSync(directory);
      }
      // Where it is taken often, within the same turn of the event loop.
      for (let n = 0; n < 100; n += 1) lockFileSync(directory + "/app.lock").release();
      await new Promise((resolve) => setImmediate(resolve));
      rmdirSync(directory);
      console.log("removed");`);
    assert.equal(stdout, "removed\n", stderr);
    assert.equal(existsSync(dirname(lock)), false);
  }),
);

for (const what of ["emptied", "removed and made again"]) {
  test(
    `a directory that was ${what} between two acquisitions, and during one`,
    here(async (place) => {
      const clear =
        what === "emptied" ? "rmSync(directory + '/' + name)" : "rmSync(directory, { recursive: true, force: true })";
      const { stdout, stderr } = await place.run(`
        import { mkdirSync, readdirSync, rmSync } from "node:fs";
        import { lockFile, lockFileSync } from "atexit/resources";
        const directory = process.env.WORK + "/locks";
        const path = directory + "/app.lock";
        const clear = () => {
          for (const name of readdirSync(directory)) ${clear};
          mkdirSync(directory, { recursive: true });
        };
        for (let n = 0; n < 50; n += 1) lockFileSync(path).release();
        clear();
        const first = lockFileSync(path);
        console.log(first.isHeld());
        clear();
        const second = await lockFile(path);
        console.log(first.isHeld(), second.isHeld());
        first.release();
        console.log(second.isHeld());
        await lockFile(path).catch((error) => console.log(error.code));
        second.release();
        await new Promise((resolve) => setImmediate(resolve));
        console.log(readdirSync(directory).length);`);
      assert.equal(stdout, "true\nfalse true\ntrue\nERR_ATEXIT_LOCK_HELD\n0\n", stderr);
      await place.quiet();
      assert.deepEqual(place.left(), []);
    }),
  );
}

test(
  "a held lock whose owner file was deleted is still held",
  here(async (place, lock) => {
    await place.run(STAY, {
      async act(child) {
        await printed(child, "held");
        for (const name of locksLeft(place)) if (name !== "app.lock") rmSync(join(dirname(lock), name));
        for (const error of await tries(place)) assert.ok(error !== "taken" && error.pid === child.pid);
        child.kill("SIGKILL");
      },
    });
    assert.deepEqual(await tries(place), ["taken", "taken"]);
  }),
);

test(
  "a name that is too long for who would take the lock from a dead holder is refused",
  here(async (place, lock) => {
    const long = join(dirname(lock), "l".repeat(200));
    assert.throws(() => lockFileSync(long), { code: "ERR_ATEXIT_LOCK", message: /its name is too long/ });
    assert.deepEqual(locksLeft(place), []);
  }),
);

test(
  "who would wait for a lock of its own thread, and block it, is told at once",
  here(async (place) => {
    const { stdout, stderr } = await place.run(`
      import { lockFileSync } from "atexit/resources";
      const lock = lockFileSync(process.env.WORK + "/app.lock");
      try { lockFileSync(lock.path, { wait: Infinity }); } catch ({ code, pid }) { console.log(code, pid === process.pid); }`);
    assert.equal(stdout, "ERR_ATEXIT_LOCK_HELD true\n", stderr);
  }),
);
