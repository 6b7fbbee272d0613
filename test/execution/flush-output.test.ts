// What was written before the exit reaches a slow reader, within a bound, and a
// reader who never reads does not keep the process.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const MEGABYTE = 1 << 20;

const leaves = {
  "process.exit(3)": ["process.exit(3)", "3"],
  "exit(3)": ["exit(3)", "3"],
  SIGTERM: ["setTimeout(() => {}, 20_000); process.kill(process.pid, 'SIGTERM')", "SIGTERM"],
  "an uncaught error": ["throw new Error('boom')", "1"],
  "the natural end": ["", "0"],
} as const;

describe("output", { concurrency: 2 }, () => {
  for (const [name, [leave, status]] of Object.entries(leaves)) {
    test(`a megabyte reaches a reader who is slow: ${name}`, async () => {
      const ended = await runProgram(
        `import { exit, register } from "atexit";
           register(() => {});
           process.stdout.write("x".repeat(${MEGABYTE}));
           ${leave};`,
        {
          act: async (child) => {
            child.stdout?.pause();
            await new Promise((resolve) => setTimeout(resolve, 300));
            child.stdout?.resume();
          },
        },
      );
      assert.equal(ended.stdout.length, MEGABYTE);
      assert.equal(statusOf(ended), status);
    });
  }

  test("a reader who never reads is given up when the grace period is over", async () => {
    const ended = await runProgram(
      `import { configure, register } from "atexit";
         configure({ grace: 200 });
         register(() => {});
         process.stdout.write("x".repeat(${MEGABYTE}));
         process.exit(3);`,
      {
        act: (child) => {
          child.stdout?.pause();
          child.once("exit", () => child.stdout?.resume());
        },
      },
    );
    assert.equal(statusOf(ended), "3");
    assert.ok(ended.stdout.length < MEGABYTE);
  });
});
