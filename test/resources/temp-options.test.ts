// What a temporary file can be made with, and who removes it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir, tempFile } from "../../src/resources/index.ts";
import { inPlace } from "../support/place.ts";

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("a name, a mode whatever the umask, and a content", () =>
  inPlace(async ({ work: dir }) => {
    const umask = process.umask(0o077);
    try {
      const file = tempFile({ dir, name: "just-so", mode: 0o644, content: "text" });
      assert.deepEqual([file.path, mode(file.path)], [join(dir, "just-so"), "644"]);
      assert.equal(readFileSync(file.path, "utf8"), "text");
      const bytes = tempFile({ dir, content: Uint8Array.of(1, 2) });
      assert.deepEqual([mode(bytes.path), [...readFileSync(bytes.path)]], ["600", [1, 2]]);
      const directory = tempDir({ dir, mode: 0o755 });
      assert.equal(mode(directory.path), "755");
      for (const each of [file, bytes, directory]) each.remove();
    } finally {
      process.umask(umask);
    }
    assert.deepEqual(readdirSync(dir), []);
  }));

test("a name that is taken: an error, and what is there stays, also at exit", () =>
  inPlace(async ({ work, run }) => {
    writeFileSync(join(work, "taken"), "somebody's");
    const { stdout, code } = await run(`
      import { tempDir, tempFile } from "atexit/resources";
      for (const make of [tempFile, tempDir]) {
        try { make({ dir: process.env.WORK, name: "taken" }); } catch ({ code, cause }) { console.log(code, cause.code); }
      }`);
    assert.deepEqual([stdout, code], ["ERR_ATEXIT_TEMP EEXIST\nERR_ATEXIT_TEMP EEXIST\n", 0]);
    assert.equal(readFileSync(join(work, "taken"), "utf8"), "somebody's");
  }));

test("wrong options: an error that says what to pass, and nothing is made", () =>
  inPlace(async ({ work: dir }) => {
    const wrong = [
      { name: "a/b" },
      { name: ".." },
      { name: "" },
      { mode: 0o1000 },
      { mode: 1.5 },
      { content: 3 as never },
      { dir: "../elsewhere" },
      { dir: "a/../../b" },
      { dir: "" },
      { dir: 7 as never },
    ];
    for (const options of wrong) {
      assert.throws(() => tempFile({ dir, ...options }), { code: "ERR_ATEXIT_OPTION" }, JSON.stringify(options));
    }
    assert.deepEqual(readdirSync(dir), []);
  }));

test("what is kept stays at the end of its scope and can be removed by hand, but not what took its place", () =>
  inPlace(async ({ work: dir }) => {
    const file = tempFile({ dir });
    file.keep();
    file[Symbol.dispose]();
    assert.ok(existsSync(file.path));
    file.remove();
    assert.ok(!existsSync(file.path));
    const replaced = tempFile({ dir });
    replaced.keep();
    writeFileSync(join(dir, "other"), "somebody else's");
    renameSync(join(dir, "other"), replaced.path);
    replaced.remove();
    assert.equal(readFileSync(replaced.path, "utf8"), "somebody else's");
  }));

test("with(): it is there for the task, and gone when that has ended, unless it was kept", () =>
  inPlace(async ({ work: dir }) => {
    const length = await tempFile.with({ dir, content: "abc" }, async ({ path }) => readFileSync(path, "utf8").length);
    assert.equal(length, 3);
    const failing = tempDir.with({ dir }, ({ path }) => {
      writeFileSync(join(path, "x"), "");
      throw new Error("boom");
    });
    await assert.rejects(failing, /boom/);
    assert.deepEqual(readdirSync(dir), []);
    await tempFile.with({ dir, name: "kept" }, (file) => file.keep());
    assert.deepEqual(readdirSync(dir), ["kept"]);
  }));

for (const [way, leave] of [
  ["process.exit", "process.exit();"],
  ["SIGKILL", "process.kill(process.pid, 'SIGKILL');"],
] as const) {
  test(`onlyIfEmpty: after ${way} an empty directory is gone, and one with something in it stays`, () =>
    inPlace(async ({ work, run, quiet, left }) => {
      await run(`
        import { tempDir } from "atexit/resources";
        import { writeFileSync } from "node:fs";
        const dir = process.env.WORK;
        tempDir({ dir, name: "empty", onlyIfEmpty: true });
        writeFileSync(tempDir({ dir, name: "full", onlyIfEmpty: true }).path + "/inside", "text");
        tempDir({ dir, name: "whole" });
        ${leave}`);
      await quiet();
      assert.deepEqual([readdirSync(work, { recursive: true }).sort(), left()], [["full", "full/inside"], []]);
    }));
}

test("onlyIfEmpty: remove() and keep() go by it, and persist() takes all of it", () =>
  inPlace(async ({ work: dir }) => {
    const full = tempDir({ dir, name: "full", onlyIfEmpty: true });
    writeFileSync(join(full.path, "inside"), "text");
    full.remove();
    const kept = tempDir({ dir, name: "kept", onlyIfEmpty: true });
    writeFileSync(join(kept.path, "inside"), "text");
    kept.keep();
    kept.remove();
    const away = tempDir({ ...(existsSync("/dev/shm") ? { dir: "/dev/shm" } : { dir }), onlyIfEmpty: true });
    writeFileSync(join(away.path, "inside"), "text");
    away.persist(join(dir, "persisted"));
    assert.equal(existsSync(away.path), false);
    assert.deepEqual(readdirSync(dir).sort(), ["full", "kept", "persisted"]);
    for (const one of ["full", "kept", "persisted"])
      assert.equal(readFileSync(join(dir, one, "inside"), "utf8"), "text");
    assert.throws(() => tempDir({ onlyIfEmpty: 1 as never }), { code: "ERR_ATEXIT_OPTION" });
  }));

test("a name that is taken, and a program that is killed while it makes its own: what is there stays", () =>
  inPlace(async ({ work, run, quiet, log }) => {
    const taken = join(work, "taken");
    mkdirSync(taken);
    writeFileSync(join(taken, "users"), "somebody's");
    const { signal } = await run(`
      import { tempDir } from "atexit/resources";
      import fs from "node:fs";
      fs.mkdirSync = () => process.kill(process.pid, "SIGKILL");
      tempDir({ dir: process.env.WORK, name: "taken" });`);
    assert.equal(signal, "SIGKILL");
    await quiet();
    assert.equal(readFileSync(join(taken, "users"), "utf8"), "somebody's", JSON.stringify(log()));
  }));

test("what has taken the place of a file that was kept is not removed", () =>
  inPlace(async ({ work: dir }) => {
    const file = tempFile({ dir, name: "result" });
    file.keep();
    // File systems that give a number out again at once do so for the next file.
    rmSync(file.path);
    writeFileSync(file.path, "somebody's");
    file.remove();
    assert.equal(readFileSync(file.path, "utf8"), "somebody's");
  }));
