// The command's first file: where Node may keep what it compiles.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import module from "node:module";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import { noteMissing } from "../support/missing.ts";
import { CLI, copyPackage, packageFiles } from "../support/package-under-test.ts";
import { run, withDirectory } from "../support/run.ts";

const skip = !("enableCompileCache" in module) && "this Node keeps nothing";

/** Runs the command with a cache directory of that mode; returns what it has left there, and beside it. */
async function leftIn(mode: number): Promise<{ cache: string[]; temporary: string[] }> {
  return withDirectory(async (directory) => {
    const [cache, temporary] = [join(directory, "cache"), join(directory, "tmp")];
    for (const path of [cache, temporary]) mkdirSync(path);
    chmodSync(cache, mode);
    const env = { ...process.env, XDG_CACHE_HOME: cache, TMPDIR: temporary, NODE_COMPILE_CACHE: undefined };
    const { code, stdout, stderr } = await run(process.execPath, [CLI, "--version"], { env });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^\d+\.\d+\.\d+/);
    return { cache: readdirSync(cache), temporary: readdirSync(temporary) };
  });
}

describe("what Node has compiled of the command", { skip }, () => {
  test("is kept in the user's cache directory", async () => {
    assert.deepEqual(await leftIn(0o700), { cache: ["atexit"], temporary: [] });
  });

  test("is kept nowhere that other users can write to", async () => {
    assert.deepEqual(await leftIn(0o777), { cache: [], temporary: [] });
  });
});

test(
  "a user with neither a home nor an account has the command",
  { skip: process.getuid?.() !== 0 && noteMissing("a user without an account", "it takes root to become one") },
  () =>
    withDirectory(async (directory) => {
      // The repository may be closed to him.
      const copy = join(directory, "files");
      copyPackage(copy);
      for (const path of [directory, copy]) chmodSync(path, 0o755);
      const command = join(copy, relative(packageFiles, CLI));
      const { code, stdout, stderr } = await run(process.execPath, [command, "--help"], {
        env: {},
        cwd: "/",
        uid: 12_345,
        gid: 12_345,
      });
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, /^\w/);
    }),
);
