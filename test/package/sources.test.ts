// A contributor's loop: the sources and their tests run as they are, with no build.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { isFromSources, repository } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const runsTypeScript = major > 22 || (major === 22 && minor >= 18);

for (const [what, file] of [
  ["a test of a part alone", "test/registry/stack.test.ts"],
  ["a test of real processes", "test/thread/copies.test.ts"],
] as const) {
  const skip = isFromSources ? "it is one of them" : !runsTypeScript && "this Node runs no TypeScript";
  test(`${what} runs as it is written: node --test ${file}`, { skip }, async () => {
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const ended = await run(process.execPath, ["--test", join(repository, file)], { cwd: repository, env });
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    assert.match(ended.stdout, /^(?:#|ℹ) fail 0$/m);
    assert.doesNotMatch(ended.stdout, /^(?:#|ℹ) pass 0$/m);
  });
}
