// Temporary files and directories: unguessable, private, and gone on every way
// out; where tmp and tempy leave theirs behind, that is seen too.

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { tempDir, tempFile } from "../../src/resources/index.ts";
import { inPlace } from "../support/place.ts";
import { statusOf, until } from "../support/run.ts";

const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

describe("a temporary file", () => {
  test("is empty, private, exclusive, with a name that cannot be guessed", () =>
    inPlace(async ({ work }) => {
      const files = Array.from({ length: 200 }, () => tempFile({ prefix: "a-", suffix: ".json", dir: work }));
      const names = new Set(files.map(({ path }) => basename(path)));
      assert.equal(names.size, 200);
      for (const name of names) assert.match(name, /^a-[0-9a-f-]{36}\.json$/);
      for (const { path } of files) {
        assert.deepEqual([mode(path), statSync(path).size], ["600", 0]);
      }
      files.forEach((file) => file.remove());
      files.forEach((file) => file.remove());
      assert.deepEqual(readdirSync(work), []);
    }));

  test("goes at the end of its scope, once", () =>
    inPlace(async ({ work }) => {
      const file = tempFile({ dir: work });
      await file[Symbol.asyncDispose]();
      assert.equal(existsSync(file.path), false);
      writeFileSync(file.path, "somebody else's");
      file[Symbol.dispose]();
      assert.equal(readFileSync(file.path, "utf8"), "somebody else's");
    }));

  test("that was removed costs nothing of what comes in its place, nor of what is kept, killed in the same turn", () =>
    inPlace(async (place) => {
      const { signal } = await place.run(`
        import { tempFile } from "atexit/resources";
        import { writeFileSync } from "node:fs";
        const dir = process.env.WORK;
        const removed = tempFile({ dir, prefix: "removed" });
        removed.remove();
        writeFileSync(removed.path, "somebody else's");
        tempFile({ dir, prefix: "kept" }).keep();
        tempFile({ dir, prefix: "left" });
        process.kill(process.pid, "SIGKILL");`);
      assert.equal(signal, "SIGKILL");
      await until(() => place.left().length === 0);
      assert.deepEqual(
        readdirSync(place.work)
          .map((name) => name.replace(/-?[0-9a-f]{8}-.*/, ""))
          .sort(),
        ["kept", "removed"],
      );
    }));

  test("is written down as over in the next turn, with all others of its own", () =>
    inPlace(async (place) => {
      const { stdout } = await place.run(`
        import { tempFile } from "atexit/resources";
        import { readdirSync, readFileSync } from "node:fs";
        import { setImmediate } from "node:timers/promises";
        const journals = process.env.ATEXIT_DIR;
        const pending = () => {
          const journal = readdirSync(journals).find((name) => name.endsWith(".jsonl"));
          const lines = readFileSync(journals + "/" + journal, "utf8").split("\\n").filter(Boolean).map((line) => JSON.parse(line));
          const done = lines.map(({ done }) => done);
          return new Set(lines.map(({ id }) => id).filter((id) => id !== undefined && !done.includes(id))).size;
        };
        const one = tempFile();
        for (let n = 0; n < 10; n += 1) tempFile().remove();
        await setImmediate();
        const beside = pending();
        one.remove();
        await setImmediate();
        console.log(beside, pending());`);
      assert.equal(stdout, "1 0\n");
    }));

  test("stays where it is kept", () =>
    inPlace(async ({ work, run }) => {
      const { code } = await run(`
        import { tempDir, tempFile } from "atexit/resources";
        tempFile({ prefix: "kept", dir: process.env.WORK }).keep();
        tempDir({ prefix: "gone", dir: process.env.WORK });`);
      assert.equal(code, 0);
      assert.deepEqual(
        readdirSync(work).map((name) => name.slice(0, 4)),
        ["kept"],
      );
    }));

  test("is made permanent by one rename, over what is there", () =>
    inPlace(async ({ work }) => {
      const target = join(work, "config.json");
      writeFileSync(target, "old");
      const file = tempFile({ dir: work });
      writeFileSync(file.path, "new");
      const { ino } = statSync(file.path);
      assert.equal(file.persist(target), "renamed");
      assert.deepEqual([readFileSync(target, "utf8"), statSync(target).ino], ["new", ino]);
      file.remove();
      assert.deepEqual(readdirSync(work), ["config.json"]);
    }));

  test("keeps the mode of what it replaces, and the link to it", () =>
    inPlace(async ({ work }) => {
      writeFileSync(join(work, "config.json"), "old", { mode: 0o640 });
      chmodSync(join(work, "config.json"), 0o640);
      symlinkSync("config.json", join(work, "link"));
      const file = tempFile({ dir: work });
      writeFileSync(file.path, "new");
      file.persist(join(work, "link"));
      assert.equal(readFileSync(join(work, "config.json"), "utf8"), "new");
      assert.equal(statSync(join(work, "config.json")).mode & 0o777, 0o640);
      assert.deepEqual(readdirSync(work).sort(), ["config.json", "link"]);
      assert.ok(lstatSync(join(work, "link")).isSymbolicLink());
    }));

  test("follows no link that another user has put there", { skip: process.getuid?.() !== 0 && "needs root" }, () =>
    inPlace(async ({ work }) => {
      writeFileSync(join(work, "precious"), "precious");
      symlinkSync("precious", join(work, "link"));
      lchownSync(join(work, "link"), 12_345, 12_345);
      const file = tempFile({ dir: work });
      file.persist(join(work, "link"));
      assert.equal(readFileSync(join(work, "precious"), "utf8"), "precious");
      assert.ok(lstatSync(join(work, "link")).isFile());
    }),
  );

  test("that cannot be made permanent stays temporary", () =>
    inPlace(async ({ work }) => {
      const file = tempFile({ dir: work });
      assert.throws(() => file.persist(join(work, "nowhere", "x")), { code: "ENOENT" });
      assert.ok(existsSync(file.path));
      file.remove();
      assert.deepEqual(readdirSync(work), []);
    }));

  test(
    "on another device is copied beside its new name, and renamed there",
    {
      skip: statSync("/dev/shm", { throwIfNoEntry: false }) === undefined && "there is no /dev/shm",
    },
    () =>
      inPlace(async ({ work }) => {
        const dir = tempDir({ dir: "/dev/shm" });
        assert.notEqual(statSync(dir.path).dev, statSync(work).dev);
        writeFileSync(join(dir.path, "inside"), "text");
        mkdirSync(join(dir.path, "deep"));
        assert.equal(dir.persist(join(work, "kept")), "copied");
        assert.equal(readFileSync(join(work, "kept", "inside"), "utf8"), "text");
        assert.deepEqual([readdirSync(work), existsSync(dir.path)], [["kept"], false]);
        const file = tempFile({ dir: "/dev/shm" });
        writeFileSync(file.path, "text");
        assert.equal(file.persist(join(work, "file")), "copied");
        assert.deepEqual([mode(join(work, "file")), readFileSync(join(work, "file"), "utf8")], ["600", "text"]);
      }),
  );

  for (const [what, options, code] of [
    ["a prefix that leaves the directory", { prefix: "../" }, "ERR_ATEXIT_OPTION"],
    ["a directory that is not there", { dir: "/nowhere/at/all" }, "ERR_ATEXIT_TEMP"],
    ["a directory that nobody can write into", { dir: "/proc" }, "ERR_ATEXIT_TEMP"],
  ] as const) {
    test(`with ${what} is refused, and nothing is registered`, () =>
      inPlace(async ({ run, left }) => {
        const { stdout, stderr } = await run(`
          import { count } from "atexit";
          import { tempDir, tempFile } from "atexit/resources";
          for (const make of [tempFile, tempDir]) {
            try { make(${JSON.stringify(options)}); } catch (error) { console.log(error.code, count()); }
          }`);
        assert.equal(stdout, `${code} 0\n`.repeat(2), stderr);
        assert.deepEqual(left(), []);
      }));
  }
});

const waysOut = {
  "the natural end": ["", "0"],
  "process.exit": ["process.exit(3);", "3"],
  "a throw": ["throw new Error('thrown');", "1"],
  SIGTERM: ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
  SIGINT: ["process.kill(process.pid, 'SIGINT'); setInterval(() => {}, 1_000);", "SIGINT"],
  SIGKILL: ["process.kill(process.pid, 'SIGKILL');", "SIGKILL"],
  "process.abort()": ["process.abort();", "SIGABRT"],
} as const;

const makers = {
  atexit: `
    import { tempDir, tempFile } from "atexit/resources";
    const dir = process.env.WORK + "/temp";
    tempFile({ dir });
    writeFileSync(tempDir({ dir }).path + "/inside", "");`,
  tmp: `
    import tmp from "tmp";
    tmp.setGracefulCleanup();
    const tmpdir = process.env.WORK + "/temp";
    tmp.fileSync({ tmpdir });
    writeFileSync(tmp.dirSync({ tmpdir, unsafeCleanup: true }).name + "/inside", "");`,
  tempy: `
    import { temporaryDirectory, temporaryWrite } from "tempy";
    await temporaryWrite("text");
    writeFileSync(temporaryDirectory() + "/inside", "");`,
} as const;

/** What the peers leave, so that it is noticed when they no longer do. */
const left: Record<keyof typeof makers, (way: string) => boolean> = {
  atexit: () => false,
  tmp: (way) => way.startsWith("SIG") || way === "process.abort()",
  tempy: () => true,
};

for (const maker of Object.keys(makers) as (keyof typeof makers)[]) {
  describe(`temporary files of ${maker}`, { concurrency: 2 }, () => {
    for (const [way, [leave, status]] of Object.entries(waysOut)) {
      test(`${way}: ${left[maker](way) ? "left behind" : "gone"}`, () =>
        inPlace(async ({ work, run, quiet }) => {
          const temp = join(work, "temp");
          mkdirSync(temp);
          const source = `import { writeFileSync } from "node:fs";\n${makers[maker]}\n${leave}`;
          const ended = await run(source, { env: { ...process.env, WORK: work, TMPDIR: temp } });
          assert.equal(statusOf(ended), status, ended.stderr);
          if (left[maker](way)) {
            assert.ok(readdirSync(temp).length > 0, "the peer leaves its files");
          } else {
            await until(() => readdirSync(temp).length === 0);
          }
          await quiet();
          rmSync(temp, { recursive: true });
        }));
    }
  });
}
