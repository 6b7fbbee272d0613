// Where descriptors or processes have run out, or standard streams are closed,
// cleanups are needed most: they run, and the status is bare Node's.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

const NOBODY = 65_534; // the limit does not count for root

/** What a program runs out of, and the code that takes it all. */
const resources = {
  descriptors: {
    skip: false,
    take: `try { for (;;) openSync("/dev/null"); } catch {}`,
  },
  ...Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7].map((free) => [
      `descriptors but ${free}`,
      {
        skip: false,
        take: `
          const taken = [];
          try { for (;;) taken.push(openSync("/dev/null")); } catch {}
          for (const fd of taken.slice(-${free})) closeSync(fd);`,
      },
    ]),
  ),
  "standard input": { skip: false, take: "closeSync(0);" },
  "standard error": { skip: false, take: "closeSync(2);" },
  "standard input and error": { skip: false, take: "closeSync(0); closeSync(2);" },
  processes: {
    skip: notRoot,
    take: `
      execFileSync("prlimit", ["--pid", String(process.pid), "--nproc=1"]);
      process.setgroups([]);
      process.setgid(${NOBODY});
      process.setuid(${NOBODY});`,
  },
};

const waysOut = {
  "the natural end": ["", "0"],
  "process.exit(3)": ["process.exit(3);", "3"],
  "a throw": ["throw new Error('thrown');", "1"],
  SIGTERM: ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
} as const;

for (const [resource, { skip, take }] of Object.entries(resources)) {
  describe(`no ${resource} left`, { skip }, () => {
    for (const [wayOut, [leave, status]] of Object.entries(waysOut)) {
      test(wayOut, async () => {
        const source = `
            import { execFileSync } from "node:child_process";
            import { closeSync, openSync } from "node:fs";
            import { register } from "atexit";
            register(() => console.log("first registered"));
            register({ timeout: 1_000 }, async () => console.log("last registered"));
            process.stdout.write("");
            ${take}
            ${leave}`;
        const ended = await runProgram(source);
        assert.equal(ended.stdout, "last registered\nfirst registered\n", ended.stderr);
        assert.equal(statusOf(ended), status, ended.stderr);
      });
    }
  });
}
