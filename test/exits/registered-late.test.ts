// What is registered in an `exit` listener is called, also where another listener
// ends the process past it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { evaluate } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const WAYS: Record<string, [how: string, status: string]> = {
  "the natural end": ["", "7"],
  "process.exit(2)": ["process.exit(2);", "7"],
  "an uncaught error": ['throw new Error("boom");', "7"],
  SIGTERM: ['setTimeout(() => {}, 20_000); process.kill(process.pid, "SIGTERM");', "SIGTERM"],
};

describe("registered in an exit listener, while another one calls process.exit(7)", { concurrency: 2 }, () => {
  for (const [way, [how, status]] of Object.entries(WAYS)) {
    for (const first of ["() => say('first')", "async () => { await null; say('first'); }"]) {
      test(`on ${way}, after ${first}`, async () => {
        const ended = await evaluate(`
          import { writeSync } from "node:fs";
          import { register } from "atexit";
          const say = (word) => writeSync(1, word + "\\n");
          register(${first});
          process.on("exit", () => register(() => say("late")));
          process.on("exit", () => { say("exits"); process.exit(7); });
          process.on("exit", () => say("never"));
          ${how}`);
        assert.equal(ended.stdout, "first\nexits\nlate\n", ended.stderr);
        assert.equal(statusOf(ended), status);
      });
    }
  }

  test("one that fails turns 0 into 1", async () => {
    const ended = await evaluate(`
      import { register } from "atexit";
      register(() => {});
      process.on("exit", () => register(() => { throw new Error("boom"); }));
      process.on("exit", () => process.exit(0));`);
    assert.match(ended.stderr, /^atexit: cleanup \(anonymous\) failed: Error: boom/);
    assert.equal(statusOf(ended), "1");
  });
});
