// The signal that fires when the process begins to exit, and its reason.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { clear } from "../../src/index.ts";
import { evaluate } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

afterEach(() => clear());

describe("exiting", () => {
  const watching = `
    import { exit, exiting, register } from "atexit";
    console.log(exiting.aborted);
    exiting.addEventListener("abort", () => {
      const { kind, code, signal, error } = exiting.reason;
      console.log(kind, code, signal, error instanceof Error ? error.message : error);
    });
    `;
  const cleanup = 'register(async () => console.log("cleanup", exiting.aborted));\n';
  const rows: [how: string, source: string, reason: string, status: string][] = [
    ["a natural end", "", "end 0 undefined undefined", "0"],
    ["a natural end with an exit code", "process.exitCode = 7;", "end 7 undefined undefined", "7"],
    ["exit(3)", "exit(3);", "exit 3 undefined undefined", "3"],
    ["exit() with an exit code", "process.exitCode = 6; exit();", "exit 6 undefined undefined", "6"],
    ["process.exit(4)", "process.exit(4);", "exit 4 undefined undefined", "4"],
    ["a throw", 'setTimeout(() => { throw new Error("boom"); });', "uncaughtException 1 undefined boom", "1"],
    ["a rejection", 'void Promise.reject(new Error("boom"));', "unhandledRejection 1 undefined boom", "1"],
    [
      "SIGTERM",
      'setTimeout(() => {}, 50_000); process.kill(process.pid, "SIGTERM");',
      "signal 143 SIGTERM undefined",
      "SIGTERM",
    ],
    [
      "a SIGTERM that is the program's own last act",
      'process.kill(process.pid, "SIGTERM");',
      "signal 143 SIGTERM undefined",
      "SIGTERM",
    ],
    [
      "SIGINT",
      'setTimeout(() => {}, 50_000); process.kill(process.pid, "SIGINT");',
      "signal 130 SIGINT undefined",
      "SIGINT",
    ],
  ];
  for (const [how, source, reason, status] of rows) {
    it(`fires once, before the first cleanup, at ${how}`, async () => {
      const ended = await evaluate(watching + cleanup + source);
      assert.equal(ended.stdout, `false\n${reason}\ncleanup true\n`);
      assert.equal(statusOf(ended), status);
    });
  }

  it("fires at exit() also with nothing registered", async () => {
    const { stdout, code } = await evaluate(`${watching}exit(2);`);
    assert.deepEqual({ stdout, code }, { stdout: "false\nexit 2 undefined undefined\n", code: 2 });
  });

  it("watches nothing for its own sake", async () => {
    const { stdout, code } = await evaluate(watching);
    assert.deepEqual({ stdout, code }, { stdout: "false\n", code: 0 });
  });

  const works: Record<string, string> = {
    "a timer": `
      import { setTimeout as sleep } from "node:timers/promises";
      const work = sleep(50_000, undefined, { signal: exiting });`,
    "a request": `
      import { createServer } from "node:http";
      const server = createServer(() => {}).listen(0);
      await new Promise((resolve) => server.once("listening", resolve));
      const work = fetch("http://localhost:" + server.address().port, { signal: exiting });`,
  };
  for (const [what, source] of Object.entries(works)) {
    it(`ends ${what} that waits for it, without a word on stderr`, async () => {
      const ended = await evaluate(`
        import { exiting, register } from "atexit";
        ${source}
        register(async () => {
          await work.catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 20)); // time for a report of it
          console.log("cleanup");
        });
        setTimeout(() => process.kill(process.pid, "SIGTERM"), 10);
        await work;`);
      assert.deepEqual(
        { stdout: ended.stdout, stderr: ended.stderr, status: statusOf(ended) },
        { stdout: "cleanup\n", stderr: "", status: "SIGTERM" },
      );
    });
  }
});
