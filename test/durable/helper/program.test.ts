// The program that carries journals out is the one that a process began with,
// whatever becomes of the package meanwhile; and only that program is a helper.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { copyPackage, isFromSources, withUrls } from "../../support/package-under-test.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { printed, run, until } from "../../support/run.ts";

const skip = isFromSources && "the sources have no text of the program";

/** The copies of the program that are beside the journals. */
const copies = ({ journals }: Place) => readdirSync(journals).filter((name) => name.startsWith("helper-"));

const CALLED = 'import fs from "node:fs"; export const trace = (path) => fs.writeFileSync(path, "");';

/** Runs a program with a copy of the package, does something to that, and kills the program. */
async function killedAfter(place: Place, act: (installed: string) => void): Promise<void> {
  const installed = join(place.work, "../installed");
  const durable = copyPackage(join(installed, "files"))("atexit/durable");
  writeFileSync(join(place.work, "called.mjs"), CALLED);
  writeFileSync(
    join(installed, "program.mjs"),
    `import fs from "node:fs";
    import { call, remove } from ${JSON.stringify(pathToFileURL(durable))};
    const { WORK } = process.env;
    fs.mkdirSync(WORK + "/scratch");
    remove(WORK + "/scratch");
    call(WORK + "/called.mjs", "trace", WORK + "/trace");
    setTimeout(() => console.log("ready"), 50);
    setInterval(() => {}, 1_000);`,
  );
  await run(process.execPath, [join(installed, "program.mjs")], {
    env: place.environment,
    cwd: "/",
    async act(child) {
      await printed(child, "ready");
      act(installed);
      child.kill("SIGKILL");
    },
  });
  await place.quiet();
}

describe("the package of a running program", { skip }, () => {
  for (const [what, act] of [
    ["is removed", (installed: string) => rmSync(join(installed, "files"), { recursive: true })],
    [
      "is upgraded to one that carries its journals out no more",
      (installed: string) => writeFileSync(join(installed, "files/atexit-helper.cjs"), "process.exitCode = 0;"),
    ],
  ] as const) {
    test(`${what}: its recipes are carried out all the same, and those that need a program of their own`, () =>
      inPlace(async (place) => {
        await killedAfter(place, act);
        assert.deepEqual(readdirSync(place.work).sort(), ["called.mjs", "trace"], JSON.stringify(place.log()));
        assert.deepEqual(place.left(), []);
      }));
  }

  test("is being copied beside the journals when the process is killed: nothing of that is left", () =>
    inPlace(async (place) => {
      const { signal, stderr } = await place.run(`
        import fs from "node:fs";
        import { remove } from "atexit/durable";
        const { renameSync } = fs;
        fs.renameSync = (from, to) => {
          if (/helper-.*cjs$/.test(to)) process.kill(process.pid, "SIGKILL");
          return renameSync(from, to);
        };
        remove(process.env.WORK + "/nowhere");
        setInterval(() => {}, 1_000);`);
      assert.equal(signal, "SIGKILL", stderr);
      await place.quiet();
      assert.deepEqual(copies(place), []);
    }));

  test("and the journals' directory, with the copy in it: the package's own file is taken", () =>
    inPlace(async (place) => {
      await place.run('import { remove } from "atexit/durable"; remove("/nowhere"); setTimeout(() => {}, 50);');
      assert.equal(copies(place).length, 1);
      const { signal, stderr } = await place.run(`
        import fs from "node:fs";
        import { remove } from "atexit/durable";
        const { ATEXIT_DIR, WORK } = process.env;
        fs.mkdirSync(WORK + "/scratch");
        remove(WORK + "/scratch");
        fs.rmSync(ATEXIT_DIR, { recursive: true });
        remove(WORK + "/other");
        process.kill(process.pid, "SIGKILL");`);
      assert.equal(signal, "SIGKILL", stderr);
      await place.quiet();
      assert.deepEqual(readdirSync(place.work), []);
    }));
});

describe("the copy of the program", { skip }, () => {
  const register = 'import { remove } from "atexit/durable"; remove("/nowhere"); setTimeout(() => {}, 50);';

  test("is named after its text, is for this user alone, and is written once", () =>
    inPlace(async (place) => {
      await place.run(register);
      const [name = ""] = copies(place);
      assert.match(name, /^helper-[\d.]+-[0-9a-f]{12}\.cjs$/);
      const path = join(place.journals, name);
      const { ino, mode } = statSync(path);
      assert.equal(mode & 0o777, 0o600);
      await place.run(register);
      assert.deepEqual(copies(place), [name]);
      assert.equal(statSync(path).ino, ino);
    }));

  test("takes the place of one that was cut short or only begun, and of those of other builds after thirty days", () =>
    inPlace(async (place) => {
      await place.run(register);
      const [name = ""] = copies(place);
      const path = join(place.journals, name);
      const text = readFileSync(path, "utf8");
      writeFileSync(path, text.slice(0, 1_000));
      writeFileSync(`${path}.2.tmp`, ""); // by a process that was killed
      for (const [other, days] of [
        ["helper-1.1.cjs", 31],
        ["helper-1.1-0123456789ab.cjs", 29],
      ] as const) {
        writeFileSync(join(place.journals, other), "");
        const then = Date.now() / 1_000 - days * 24 * 60 * 60;
        utimesSync(join(place.journals, other), then, then);
      }
      await place.run(register);
      assert.deepEqual(copies(place).sort(), ["helper-1.1-0123456789ab.cjs", name].sort());
      assert.equal(readFileSync(path, "utf8"), text);
    }));
});

test("what a called function starts is no helper: it has a guard of its own", () =>
  inPlace(async (place) => {
    mkdirSync(join(place.work, "scratch"));
    writeFileSync(
      join(place.work, "daemon.mjs"),
      withUrls(`
        import { remove } from "atexit/durable";
        remove(process.env.WORK + "/scratch");
        process.kill(process.pid, "SIGKILL");`),
    );
    writeFileSync(
      join(place.work, "called.mjs"),
      `import { spawn } from "node:child_process";
      export const start = (program) => spawn(process.execPath, [program], { detached: true, stdio: "ignore" }).unref();`,
    );
    await place.run(`
      import { call } from "atexit/durable";
      const { WORK } = process.env;
      call(WORK + "/called.mjs", "start", WORK + "/daemon.mjs");
      process.kill(process.pid, "SIGKILL");`);
    await until(() => !readdirSync(place.work).includes("scratch"), 20_000);
  }));
