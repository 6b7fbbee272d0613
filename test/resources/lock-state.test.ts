// What can be known of a lock without taking it, and what its holder learns when it
// is lost.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { describe, test } from "node:test";
import { lockFile, LockHeldError, lockFileSync } from "../../src/resources/index.ts";
import { here, HOLD, locksLeft, STAY, unguarded, whileHeld } from "./lock-programs.ts";

const HOLD_WITH_DATA = STAY.replace("wait: 10_000", "wait: 10_000, data: { port: 80 }");

describe("lockFile.check()", () => {
  test(
    "says who holds the lock, and leaves no trace",
    here(async (place, lock) => {
      assert.equal(lockFile.check(lock), undefined);
      assert.deepEqual(locksLeft(place), []);
      await whileHeld(place, HOLD_WITH_DATA, async (pid) => {
        const before = readdirSync(`${place.work}/locks`);
        const found = lockFile.check(lock);
        assert.deepEqual([found?.pid, found?.life, found?.data], [pid, "alive", { port: 80 }]);
        assert.ok(found?.since instanceof Date && Math.abs(Date.now() - found.since.getTime()) < 60_000);
        assert.deepEqual(readdirSync(`${place.work}/locks`), before);
      });
    }),
  );

  test(
    "says that a holder is dead, and of a file that is no lock that nobody can tell",
    here(async (place, lock) => {
      await place.run(`${HOLD} process.kill(process.pid, "SIGKILL");`, { env: unguarded(place) });
      assert.equal(lockFile.check(lock)?.life, "dead");
      rmSync(lock);
      writeFileSync(lock, "12345\n");
      const { pid, life } = lockFile.check(lock) ?? {};
      assert.deepEqual([pid, life], [undefined, "unknown"]);
    }),
  );

  test(
    "says of a directory, as proper-lockfile makes it, that nobody can tell",
    here(async (_, lock) => {
      mkdirSync(lock);
      const { pid, life } = lockFile.check(lock) ?? {};
      assert.deepEqual([pid, life], [undefined, "unknown"]);
      await assert.rejects(lockFile(lock), LockHeldError);
    }),
  );

  test("refuses what is no path", () => {
    assert.throws(() => lockFile.check(""), { code: "ERR_ATEXIT_OPTION" });
  });
});

describe("a lock that is lost", () => {
  for (const [how, lose] of Object.entries({
    deleted: (lock: string) => rmSync(lock),
    replaced: (lock: string) => {
      writeFileSync(`${lock}.other`, "");
      renameSync(`${lock}.other`, lock);
    },
  })) {
    test(
      `its holder is told when it is ${how}`,
      here(async (_, lock) => {
        const reasons: Error[] = [];
        const held = await lockFile(lock, { onLost: (reason) => reasons.push(reason) });
        const isLost = once(held.lost, "abort");
        const staying = setInterval(() => {}, 1_000); // to wait for a loss keeps no process alive
        lose(lock);
        await isLost;
        clearInterval(staying);
        assert.deepEqual([held.isHeld(), reasons.length, held.lost.reason], [false, 1, reasons[0]]);
        assert.match(reasons[0]?.message ?? "", /was deleted, or replaced, while this process held it/);
        assert.equal((reasons[0] as NodeJS.ErrnoException).code, "ERR_ATEXIT_LOCK_LOST");
        held.release();
      }),
    );
  }

  test(
    "to release it is not to lose it, and to watch it keeps no process alive",
    here(async (place) => {
      const { stdout, code } = await place.run(`
        import { lockFile } from "atexit/resources";
        const lock = await lockFile(process.env.WORK + "/locks/app.lock", { onLost: () => console.log("never") });
        const other = await lockFile(process.env.WORK + "/locks/other.lock", { onLost: () => console.log("never") });
        other.release();
        process.on("exit", () => console.log(lock.lost.aborted, other.lost.aborted));`);
      assert.deepEqual([stdout, code], ["false false\n", 0]);
    }),
  );

  test("onLost has to be a function", () => {
    assert.throws(() => lockFileSync("app.lock", { onLost: true as never }), { code: "ERR_ATEXIT_OPTION" });
  });
});
