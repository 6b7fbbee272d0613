// The tests of this folder once more, in the bed that stands for macOS.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noteMissing } from "../support/missing.ts";
import { runInBed, whyNoBed } from "../support/mac-like/bed.ts";
import { withDirectory } from "../support/run.ts";

const why = whyNoBed();
const skip = why === undefined || process.platform !== "linux" ? why : noteMissing("a bed that stands for macOS", why);

/** How long all of them may take, in milliseconds: a bound for a failure. */
const LIMIT = 300_000;

test("what holds on every system holds in the bed that stands for macOS", { skip }, async () => {
  const here = dirname(fileURLToPath(import.meta.url));
  const own = fileURLToPath(import.meta.url);
  const files = readdirSync(here)
    .filter((file) => /\.test\.[jt]s$/.test(file))
    .map((file) => join(here, file))
    .filter((file) => file !== own);
  await withDirectory(async (directory) => {
    const { status, stdout, stderr } = runInBed(directory, ["--test", "--test-reporter=spec", ...files], LIMIT);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /pass \d\d/);
    // What is only where open(2) has locks was not left out.
    assert.match(stdout, /✔ a dead holder whose pid another process has by now is dead/);
  });
});
