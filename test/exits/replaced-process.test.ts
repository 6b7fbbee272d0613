// The package keeps the process that it was loaded with: what a test puts in the
// place of the global changes no exit.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { evaluate } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const REPLACEMENTS = {
  "a copy of another platform": 'globalThis.process = { ...real, platform: "win32" };',
  nothing: "globalThis.process = null;",
  "no property at all": "delete globalThis.process;",
};

const WAYS: Record<string, [how: string, status: string]> = {
  "the natural end": ["", "0"],
  "process.exit(3)": ["real.exit(3);", "3"],
  "exit(4)": ["exit(4);", "4"],
  "an uncaught error": ['throw new Error("boom");', "1"],
  SIGTERM: ['setTimeout(() => {}, 20_000); real.kill(real.pid, "SIGTERM");', "SIGTERM"],
};

describe("the global process is replaced", { concurrency: 2 }, () => {
  for (const [what, replace] of Object.entries(REPLACEMENTS)) {
    for (const [way, [how, status]] of Object.entries(WAYS)) {
      test(`by ${what}: cleanups run on ${way}`, async () => {
        const ended = await evaluate(`
          import { existsSync, writeSync } from "node:fs";
          import { exit, register } from "atexit";
          import { tempDir } from "atexit/resources";
          const real = process;
          register(() => writeSync(1, "last\\n"));
          register(() => writeSync(1, \`removed \${!existsSync(scratch.path)}\\n\`));
          const scratch = tempDir();
          ${replace}
          register(async () => { await null; writeSync(1, "first\\n"); });
          ${how}`);
        assert.equal(ended.stdout, "first\nremoved true\nlast\n", ended.stderr);
        assert.equal(statusOf(ended), status);
      });
    }
  }
});
