// A lock that one thread takes again and again: its owner file, and so its kernel lock,
// stays for a moment after each release, and is gone after it on every way out.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { printed } from "../support/run.ts";
import { here, locksLeft } from "./lock-programs.ts";

const OFTEN = `
  import { spawnSync } from "node:child_process";
  import fs from "node:fs";
  import { count } from "atexit";
  import { lockFile, lockFileSync } from "atexit/resources";
  const directory = process.env.WORK + "/locks";
  const files = () => fs.readdirSync(directory);
  for (let times = 0; times < 4; times += 1) (await lockFile(directory + "/app.lock")).release();`;

const KEPT = /^app\.lock\.[^.]+$/;

describe("a lock that is taken often", () => {
  test(
    "keeps its owner file for a moment, with its kernel lock, and then has none",
    here(async (place) => {
      const { stdout, stderr } = await place.run(`${OFTEN}
        const [file] = files();
        console.log(file);
        const inode = () => fs.statSync(directory + "/" + file).ino;
        const before = inode();
        const lock = await lockFile(directory + "/app.lock");
        console.log(fs.statSync(directory + "/app.lock").ino === before, inode() === before);
        const isLocked = () => fs.readFileSync(directory + "/app.lock", "utf8").includes('{"locked":true}');
        while (!isLocked()) await new Promise((resolve) => setTimeout(resolve, 5));
        lock.release();
        while (files().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
        console.log(count());`);
      const [file = "", ...rest] = stdout.split("\n");
      assert.match(file, KEPT, stderr);
      assert.deepEqual(rest, ["true true", "0", ""], stderr);
    }),
  );

  test(
    "has a file that nobody takes for a waiter's, and one for which nobody waits",
    here(async (place) => {
      const other = join(place.work, "other.mjs");
      const { stdout, stderr } = await place.run(`${OFTEN}
        // This thread blocks: its file is there all the time.
        const again = \`
          import { lockFile } from \${JSON.stringify(import.meta.resolve("atexit/resources"))};
          for (let times = 0; times < 20; times += 1) {
            (await lockFile(process.env.WORK + "/locks/app.lock")).release();
            await new Promise(setImmediate);
          }\`;
        fs.writeFileSync(${JSON.stringify(other)}, again);
        const [file] = files();
        const toldAt = () => fs.statSync(directory + "/" + file).atimeMs;
        const before = toldAt();
        const { status, stderr } = spawnSync(process.execPath, [${JSON.stringify(other)}], { encoding: "utf8" });
        console.log(status, stderr, toldAt() - before);`);
      assert.equal(stdout, "0  0\n", stderr);
    }),
  );

  for (const [how, end] of [
    ["its natural end", ""],
    ["process.exit()", "process.exit();"],
    ["SIGTERM", 'process.kill(process.pid, "SIGTERM");'],
    ["SIGKILL", 'process.kill(process.pid, "SIGKILL");'],
  ] as const) {
    test(
      `leaves nothing at ${how}`,
      here(async (place) => {
        const { stdout } = await place.run(`${OFTEN} fs.writeSync(1, files().join()); ${end}`);
        assert.match(stdout, KEPT);
        await place.quiet();
        assert.deepEqual([locksLeft(place), place.left()], [[], []]);
      }),
    );
  }

  test(
    "can be taken by a cleanup, when the file that stayed has been removed",
    here(async (place) => {
      const { stdout, code, stderr } = await place.run(`
        import { register } from "atexit";
        register(async () => {
          (await lockFile(directory + "/app.lock")).release();
          lockFileSync(directory + "/app.lock").release();
          console.log("taken", files());
        });
        ${OFTEN}
        console.log(files().length);`);
      assert.deepEqual([stdout, code], ["1\ntaken []\n", 0], stderr);
    }),
  );

  test(
    "has no file that stays where the thread blocks: it would go on listening to signals",
    here(async (place) => {
      const { stdout, signal } = await place.run(
        `${OFTEN.replace("(await lockFile(", "(lockFileSync(")}
          fs.writeSync(1, "none: " + files());
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
        {
          async act(child) {
            await printed(child, "none: ");
            child.kill("SIGTERM");
          },
        },
      );
      assert.deepEqual([stdout, signal], ["none: ", "SIGTERM"]);
    }),
  );

  test(
    "is never waited for where nobody else is, for as long as it is taken again and again",
    here(async (place) => {
      const { stdout, stderr } = await place.run(`
        import { lockFileSync } from "atexit/resources";
        let waits = 0;
        Atomics.wait = () => void (waits += 1);
        const time = performance.now();
        while (performance.now() - time < 200) lockFileSync(process.env.WORK + "/locks/app.lock").release();
        console.log(waits);`);
      assert.equal(stdout, "0\n", stderr);
    }),
  );
});
