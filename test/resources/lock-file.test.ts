// What a lock promises apart from stress: its errors, its waiting, and what it
// does where somebody or something interferes.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type LockFile, type LockHeldError, lockFile, lockFileSync } from "atexit/resources";
import { inPlace, type Place, until } from "../durable/support.js";
import { nodes } from "../support/nodes.js";
import { printed, statusOf } from "../support/run.js";

const notRoot = process.getuid?.() !== 0 && "needs root";

/** A place in which this process has journals of its own, as the programs have. */
const here = (body: (place: Place, lock: string) => Promise<void>) => () =>
  inPlace(async (place) => {
    mkdirSync(join(place.work, "locks"));
    await body(place, join(place.work, "locks", "app.lock"));
  });

const HOLD = `
  import { lockFile } from "atexit/resources";
  const lock = await lockFile(process.env.WORK + "/locks/app.lock", { wait: 10_000 });
  console.log("held");
`;
const STAY = `${HOLD} setInterval(() => {}, 1_000);`;

const TRY = `
  import { lockFile, lockFileSync } from "atexit/resources";
  const path = process.env.WORK + "/locks/app.lock";
  for (const take of [lockFile, lockFileSync]) {
    try {
      (await take(path)).release();
      console.log("taken");
    } catch (error) {
      console.log(JSON.stringify({ name: error.name, message: error.message, ...error }));
    }
  }`;

/** What two attempts of another process give. */
async function tries(place: Place): Promise<(LockHeldError | "taken")[]> {
  const { stdout, stderr } = await place.run(TRY);
  assert.equal(stderr, "");
  const lines = stdout.split("\n").slice(0, -1);
  return lines.map((line) => (line === "taken" ? line : (JSON.parse(line) as LockHeldError)));
}

/** Keeps a program running that has printed `held`, as long as the body takes. */
async function whileHeld(place: Place, source: string, body: (pid: number) => Promise<void>): Promise<void> {
  await place.run(source, {
    async act(child) {
      await printed(child, "held");
      try {
        await body(child.pid as number);
      } finally {
        child.kill("SIGKILL");
      }
    },
  });
}

const locksLeft = ({ work }: Place) => readdirSync(join(work, "locks"));

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
  for (const { line, path: node } of nodes) {
    test(
      `${way} lets it go, and leaves nothing (Node ${line})`,
      here(async (place) => {
        const ended = await place.run(HOLD + leave, { node });
        assert.equal(statusOf(ended), status, ended.stderr);
        await place.quiet();
        assert.deepEqual([locksLeft(place), place.left()], [[], []]);
      }),
    );
  }
}

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
        import("atexit/resources").then(async ({ lockFile }) => {
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

describe("somebody interferes with the lock file of a living holder", () => {
  const interferences: Record<string, (lock: string) => void> = {
    "deletes it": (lock) => rmSync(lock),
    "replaces it": (lock) => {
      writeFileSync(`${lock}.other`, "somebody else's");
      renameSync(`${lock}.other`, lock);
    },
    "writes over it": (lock) => writeFileSync(lock, "garbage"),
    "empties it": (lock) => writeFileSync(lock, ""),
    "puts a directory in its place": (lock) => {
      rmSync(lock);
      mkdirSync(lock);
    },
  };
  for (const [what, interfere] of Object.entries(interferences)) {
    test(
      what,
      here(async (place, lock) => {
        const held: LockFile = lockFileSync(lock);
        const isStillThere = what === "writes over it" || what === "empties it";
        interfere(lock);
        assert.equal(held.isHeld(), isStillThere);
        if (isStillThere) {
          // Whose it is can still be told.
          for (const error of await tries(place)) assert.ok(error !== "taken");
        }
        held.release();
        if (what === "replaces it") assert.equal(readFileSync(lock, "utf8"), "somebody else's");
        else if (what === "puts a directory in its place") assert.ok(existsSync(lock));
        else assert.deepEqual(await tries(place), ["taken", "taken"]);
      }),
    );
  }

  test(
    "a foreign file is never taken away: the error says what to do",
    here(async (place, lock) => {
      writeFileSync(lock, "12345\n");
      for (const error of await tries(place)) {
        assert.ok(error !== "taken" && error.code === "ERR_ATEXIT_LOCK_HELD" && error.pid === undefined);
        assert.match(error.message, /was not written by this package.*Delete it if nobody uses it any more/);
      }
      assert.equal(readFileSync(lock, "utf8"), "12345\n");
    }),
  );

  for (const what of ["writes over it", "empties it"]) {
    test(
      `${what}, and then the holder is killed: the next one has it`,
      here(async (place, lock) => {
        for (const guard of ["on", "off"]) {
          const env = { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work, ATEXIT_GUARD: guard };
          await place.run(STAY, {
            env,
            async act(child) {
              await printed(child, "held");
              interferences[what]?.(lock);
              child.kill("SIGKILL");
            },
          });
          assert.deepEqual(await tries(place), ["taken", "taken"]);
          await place.quiet();
          await until(() => locksLeft(place).length === 0);
        }
      }),
    );
  }
});

test(
  "a holder with a blocked event loop keeps its lock",
  here(async (place) => {
    const block = `${HOLD} const end = Date.now() + 1_500; setTimeout(() => { while (Date.now() < end); }, 5);`;
    await whileHeld(place, block, async (pid) => {
      for (const error of await tries(place)) assert.ok(error !== "taken" && error.pid === pid);
    });
  }),
);

test(
  "a stopped holder keeps its lock",
  here((place) =>
    whileHeld(place, STAY, async (pid) => {
      process.kill(pid, "SIGSTOP");
      for (const error of await tries(place)) assert.ok(error !== "taken" && error.pid === pid);
    }),
  ),
);

test(
  "a clock that jumps, in the holder and in the contender, changes nothing",
  here(async (place) => {
    const jump = (years: number) => `const real = Date.now; Date.now = () => real() + ${years} * 31_536_000_000;`;
    await whileHeld(place, `${jump(-30)}${STAY}`, async () => {
      const { stdout } = await place.run(`${jump(30)}${TRY}`);
      assert.equal(stdout.match(/ERR_ATEXIT_LOCK_HELD/g)?.length, 2);
    });
    const { stdout } = await place.run(`${jump(-30)}${TRY}`);
    assert.equal(stdout, "taken\ntaken\n");
  }),
);

const AS_NOBODY = "process.setgroups([]); process.setgid(65_534); process.setuid(65_534);";

test(
  "another user's lock: it is respected; a dead one's is taken where the directory allows it, and else named",
  { skip: notRoot },
  here(async (place, lock) => {
    const journals = join(place.work, "journals-of-nobody");
    mkdirSync(journals, { mode: 0o700 });
    const { chmodSync, chownSync } = await import("node:fs");
    chownSync(journals, 65_534, 65_534);
    chmodSync(join(place.work, ".."), 0o711);
    chmodSync(join(place.work, "locks"), 0o777);
    const asNobody = TRY.replace("const path", `${AS_NOBODY} const path`);
    const env = { ...process.env, ATEXIT_DIR: journals, WORK: place.work };
    const triesAsNobody = async () => (await place.run(asNobody, { env })).stdout.split("\n").slice(0, -1);
    await whileHeld(place, STAY, async (pid) => {
      for (const line of await triesAsNobody()) assert.equal((JSON.parse(line) as LockHeldError).pid, pid);
    });
    await until(() => locksLeft(place).length === 0);
    // Nobody carries out what root has left behind; the lock itself can be told to be a dead one's.
    const off = { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work, ATEXIT_GUARD: "off" };
    await place.run(`${HOLD} process.kill(process.pid, "SIGKILL");`, { env: off });
    assert.deepEqual(await triesAsNobody(), ["taken", "taken"]);
    await place.run(`${HOLD} process.kill(process.pid, "SIGKILL");`, { env: off });
    chmodSync(join(place.work, "locks"), 0o1777); // as /tmp: only who owns a file may remove it
    for (const line of await triesAsNobody()) {
      const { code, message } = JSON.parse(line) as LockHeldError;
      assert.deepEqual([code, /EPERM|EACCES/.test(message)], ["ERR_ATEXIT_LOCK", true], message);
    }
    await place.recover();
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
    const loose = options as object;
    assert.throws(() => lockFileSync(path, loose), { code });
    await assert.rejects(lockFile(path, loose), { code });
  }
  assert.equal(existsSync("a.lock"), false);
});
