// What a lock does where somebody or something interferes.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type LockFile, type LockHeldError, lockFileSync } from "../../src/resources/index.ts";
import { printed, until } from "../support/run.ts";
import { here, HOLD, locksLeft, STAY, tries, TRY, whileHeld } from "./lock-programs.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

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
    const block = `${HOLD} setTimeout(() => { for (;;); }, 5);`; // until it is killed
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
