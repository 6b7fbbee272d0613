// What a lock must not do: pass for held when it is lost, write into files of the
// program, wait for itself, or leave others without a turn.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { printed } from "../support/run.ts";
import { here, HOLD } from "./lock-programs.ts";

const PRELUDE = `
  import fs from "node:fs";
  import { lockFile, lockFileSync } from "atexit/resources";
  const directory = process.env.WORK + "/locks";
  const path = directory + "/app.lock";`;

describe("a lock whose file was deleted", () => {
  for (const take of ["await lockFile(path)", "lockFileSync(path)"]) {
    test(
      `and that the same thread has taken once more by ${take}, is lost for the first, which does not free the second's`,
      here(async (place) => {
        const { stdout, stderr } = await place.run(`${PRELUDE}
          const first = ${take};
          const lost = new Promise((resolve) => first.lost.addEventListener("abort", () => resolve(first.lost.reason.code)));
          fs.unlinkSync(path);
          const second = ${take};
          console.log(first.isHeld(), second.isHeld(), await lost);
          first.release();
          console.log(second.isHeld());
          second.release();
          console.log(fs.existsSync(path));`);
        assert.equal(stdout, "false true ERR_ATEXIT_LOCK_LOST\ntrue\nfalse\n", stderr);
      }),
    );
  }

  test(
    "is lost where a file has taken the directory's place: that ends no program",
    here(async (place) => {
      const { stdout, code, stderr } = await place.run(`${PRELUDE}
        let tell;
        const lost = new Promise((resolve) => (tell = resolve));
        await lockFile(path, { onLost: tell });
        fs.renameSync(directory, directory + ".old");
        fs.writeFileSync(directory, "");
        const { code, cause } = await lost;
        console.log(code, cause.code);
        fs.unlinkSync(directory);
        fs.renameSync(directory + ".old", directory);`);
      assert.deepEqual([stdout, code], ["ERR_ATEXIT_LOCK_LOST ENOTDIR\n", 0], stderr);
    }),
  );
});

test(
  "a lock leaves a file alone that has its descriptor by now: a program may close all that it knows nothing of",
  here(async (place) => {
    const { stdout, stderr } = await place.run(`${PRELUDE}
      // From the fourth in a second on, the kernel's lock is taken a moment later.
      for (const name of "abc") await lockFile(path + name);
      const lock = await lockFile(path);
      const isIts = (fd) => {
        try {
          return fs.readlinkSync("/proc/self/fd/" + fd).startsWith(path + ".");
        } catch {
          return false;
        }
      };
      const [fd] = fs.readdirSync("/proc/self/fd").map(Number).filter(isIts);
      fs.closeSync(fd);
      const own = path + ".own";
      const mine = fs.openSync(own, "a+");
      fs.writeSync(mine, "mine");
      fs.utimesSync(own, 1e9, 1e9);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await lockFile(path, { wait: 20 }).catch(() => {});
      lock.release();
      const { atimeMs, mtimeMs } = fs.fstatSync(mine);
      console.log(fd === mine, atimeMs, mtimeMs, fs.readFileSync(own, "utf8"));
      fs.unlinkSync(own);`);
    assert.equal(stdout, "true 1000000000000 1000000000000 mine\n", stderr);
  }),
);

test(
  "lockFileSync() does not wait for a lock of its own thread, with whatever data",
  here(async (place) => {
    const { stdout, stderr } = await place.run(`${PRELUDE}
      for (const [first, second] of [[{}, { data: 1 }], [{ data: 1 }, {}], [{ data: 1 }, { data: 1 }]]) {
        const lock = lockFileSync(path, first);
        try {
          lockFileSync(path, { wait: Infinity, ...second });
        } catch (error) {
          console.log(error.code);
        }
        lock.release();
      }`);
    assert.equal(stdout, "ERR_ATEXIT_LOCK_HELD\n".repeat(3), stderr);
  }),
);

for (const take of ["await lockFile", "lockFileSync"]) {
  test(
    `a cleanup that takes a lock by ${take} has it while another part of the program waits for it`,
    here((place) =>
      place
        .run(`${HOLD} process.stdin.once("data", () => lock.release());`, {
          stdio: ["pipe", "pipe", "pipe"],
          async act(holder) {
            await printed(holder, "held");
            const { stdout, code, stderr } = await place.run(
              `${PRELUDE}
              import { register } from "atexit";
              register(async () => {
                fs.writeSync(1, "ends");
                const lock = ${take}(path, { wait: 9_000 });
                lock.release();
                fs.writeSync(1, " taken");
              });
              void lockFile(path, { wait: Infinity }).catch(() => {});
              setTimeout(() => process.exit(), 100);`,
              {
                async act(child) {
                  await printed(child, "ends");
                  holder.stdin?.end("x");
                },
              },
            );
            assert.deepEqual([stdout, code], ["ends taken", 0], stderr);
          },
        })
        .then(() => {}),
    ),
  );
}

test(
  "one that waits in a directory with thousands of files has its turn beside one that wants it again and again",
  here(async (place) => {
    for (let n = 0; n < 3_000; n += 1) writeFileSync(join(place.work, "locks", `file-${n}`), "");
    const most = 300;
    const greedy = place.run(
      `${PRELUDE}
      for (let turns = 0; ; turns += 1) {
        const lock = await lockFile(path, { wait: Infinity });
        if (turns === 0) console.log("held");
        await new Promise((resolve) => setTimeout(resolve, 20));
        lock.release();
        if (fs.existsSync(path + ".over") || turns === ${most}) {
          console.log(turns);
          break;
        }
      }`,
      {
        async act(child) {
          await printed(child, "held");
          await place.run(`${PRELUDE}
          const lock = await lockFile(path, { wait: Infinity });
          fs.writeFileSync(path + ".over", "");
          lock.release();`);
        },
      },
    );
    const { stdout, stderr } = await greedy;
    assert.ok(Number(stdout.split("\n")[1]) < most, stdout + stderr);
  }),
);
