// A copy of a journal tells of what its owner may have carried out, cancelled or
// taken back since: a backup that is restored, an image of a container, a synced
// home directory.

import assert from "node:assert/strict";
import { chmodSync, copyFileSync, cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../../support/place.ts";
import { printed, until } from "../../support/run.ts";

const NO_GUARD = { ATEXIT_GUARD: "off" };

/** Registers a removal and a command, says so, and takes both back when it is told to. */
const CANCELS = `
  import { exec, remove } from "atexit/durable";
  const registered = [remove(process.env.WORK + "/kept"), exec("touch", [process.env.WORK + "/ran"])];
  process.stdout.write("up\\n");
  process.on("SIGUSR2", () => {
    for (const each of registered) each.cancel();
    process.exit();
  });
  setInterval(() => {}, 1_000);`;

const journalsOf = ({ journals }: Place) => readdirSync(journals).filter((name) => /-.*\.jsonl$/.test(name));

/** Copies the journals with their times, and has them be nobody else's: Node 22 and 24 may lose a directory's mode. */
function copyDirectory(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
  chmodSync(to, 0o700);
}

/** Runs the program, and keeps a copy of its journals as they were while something was pending. */
async function cancelled(place: Place): Promise<string> {
  const backup = join(place.work, "backup");
  writeFileSync(join(place.work, "kept"), "");
  await place.run(CANCELS, {
    env: NO_GUARD,
    async act(child) {
      await printed(child, "up\n");
      copyDirectory(place.journals, backup);
      child.kill("SIGUSR2");
    },
  });
  assert.deepEqual(journalsOf(place), []);
  return backup;
}

describe("a copy of a journal", () => {
  test("that was restored after its owner's end is refused, and that is told", () =>
    inPlace(async (place) => {
      const backup = await cancelled(place);
      copyDirectory(backup, place.journals);
      assert.equal(journalsOf(place).length, 1);
      const [refused] = await place.recover();
      assert.equal(refused?.outcome, "refused");
      assert.match(refused?.why ?? "", /^it is a copy/);
      assert.deepEqual(readdirSync(place.work).sort(), ["backup", "kept"]);
      assert.deepEqual(journalsOf(place), [], "no later start looks at it");
    }));

  test("into the inode that the journal had is refused, too", () =>
    inPlace(async (place) => {
      const backup = await cancelled(place);
      // File systems that give a number out again at once do so within a few files.
      for (let times = 0; times < 20; times += 1) {
        const [name = ""] = readdirSync(backup).filter((file) => /-.*\.jsonl$/.test(file));
        copyFileSync(join(backup, name), join(place.journals, name));
        const [refused] = await place.recover();
        assert.equal(refused?.outcome, "refused", JSON.stringify(refused));
        rmSync(place.journals, { recursive: true });
        copyDirectory(backup, place.journals);
        for (const file of journalsOf(place)) rmSync(join(place.journals, file));
      }
      assert.deepEqual(readdirSync(place.work).sort(), ["backup", "kept"]);
    }));

  test("beside a journal that lives makes nothing of that one's happen", () =>
    inPlace(async (place) => {
      const used = join(place.work, "used");
      writeFileSync(used, "");
      const source = `
        import { remove } from "atexit/durable";
        remove(process.env.WORK + "/used");
        process.stdout.write("up\\n");
        setInterval(() => {}, 1_000);`;
      await place.run(source, {
        async act(child) {
          await printed(child, "up\n");
          const elsewhere = { ...NO_GUARD, ATEXIT_DIR: join(place.work, "copy") };
          copyDirectory(place.journals, elsewhere.ATEXIT_DIR);
          const [name = ""] = journalsOf(place);
          // As if it were of a container that is gone: its lock is free.
          const copy = join(elsewhere.ATEXIT_DIR, name);
          const dead = name.replace(/^([^-]+-[^-]+-[^-]+)-\d+-\d+-/, "$1-4190000-1-");
          copyFileSync(copy, join(elsewhere.ATEXIT_DIR, dead));
          rmSync(copy);
          await place.run('import { recover } from "atexit/durable"; await recover();', { env: elsewhere });
          assert.ok(existsSync(used));
          child.kill("SIGKILL");
        },
      });
      await until(() => !existsSync(used));
    }));

  test("is not what a journal is that was moved within its file system", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "left"), "");
      const source = `
        import fs from "node:fs";
        import { remove } from "atexit/durable";
        remove(process.env.WORK + "/left");
        fs.renameSync(process.env.ATEXIT_DIR, process.env.ATEXIT_DIR + ".old");
        process.kill(process.pid, "SIGKILL");`;
      await place.run(source, { env: NO_GUARD });
      const old = `${place.journals}.old`;
      await place.run('import { recover } from "atexit/durable"; await recover();', { env: { ATEXIT_DIR: old } });
      assert.deepEqual(readdirSync(place.work), []);
    }));
});
