// How a process ends after a signal: by it, unless the program, its operator or a
// cleanup wants something else.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { evaluate } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const CLEANUPS = {
  synchronous: 'register(() => say("cleanup"));',
  asynchronous: 'register(async () => { await null; say("cleanup"); });',
};

const after = (source: string, variables: Record<string, string> = {}) =>
  evaluate(
    `import { writeSync } from "node:fs";
     import { configure, exit, register } from "atexit";
     const say = (word) => writeSync(1, word + "\\n");
     process.on("exit", (code) => say("exit " + code));
     ${source}
     setTimeout(() => {}, 20_000);
     process.kill(process.pid, "SIGTERM");`,
    variables,
  );

describe("after a signal", { concurrency: 2 }, () => {
  for (const [kind, cleanup] of Object.entries(CLEANUPS)) {
    const rows: [how: string, source: string, variables: Record<string, string>, code: number, status: string][] = [
      ["by default", "", {}, 143, "SIGTERM"],
      ['with "signal"', 'configure({ afterSignal: "signal" });', {}, 143, "SIGTERM"],
      ['with "code"', 'configure({ afterSignal: "code" });', {}, 143, "143"],
      ["with 0", "configure({ afterSignal: 0 });", {}, 0, "0"],
      ["with 0 of the operator", "", { ATEXIT_AFTER_SIGNAL: "0" }, 0, "0"],
      [
        "with the operator's word over the program's",
        "configure({ afterSignal: 0 });",
        { ATEXIT_AFTER_SIGNAL: "code" },
        143,
        "143",
      ],
    ];
    for (const [how, source, variables, code, status] of rows) {
      test(`${how}, ${kind} cleanups`, async () => {
        const ended = await after(source + cleanup, variables);
        assert.equal(ended.stdout, `cleanup\nexit ${code}\n`, ended.stderr);
        assert.equal(statusOf(ended), status);
      });
    }
  }

  test("a failed cleanup turns 0 into 1, and only 0", async () => {
    const failing = 'register(() => { throw new Error("boom"); });';
    assert.equal(statusOf(await after(`configure({ afterSignal: 0 }); ${failing}`)), "1");
    assert.equal(statusOf(await after(`configure({ afterSignal: "code" }); ${failing}`)), "143");
    assert.equal(statusOf(await after(failing)), "SIGTERM");
  });

  for (const [kind, cleanup] of Object.entries({
    synchronous: "register(() => exit(5));",
    asynchronous: "register(async () => { await null; exit(5); });",
    "one that calls process.exit()": "register(async () => { await null; process.exit(5); });",
  })) {
    test(`exit(5) in a cleanup is an order: ${kind}`, async () => {
      for (const setting of ["", "configure({ afterSignal: 0 });"]) {
        const ended = await after(`${setting} register(() => say("below")); ${cleanup}`);
        assert.deepEqual([ended.stdout, ended.stderr], ["below\nexit 5\n", ""]);
        assert.equal(statusOf(ended), "5");
      }
    });
  }

  test("an exit library that calls process.exit(143) for the signal gets what the program wants", async () => {
    const ended = await after(
      `import exitHook from "exit-hook";
       exitHook(() => say("hook"));
       configure({ afterSignal: 0 });
       register(async () => { await null; say("cleanup"); });`,
    );
    assert.match(ended.stdout, /^hook\ncleanup\n/);
    assert.equal(statusOf(ended), "0");
  });
});
