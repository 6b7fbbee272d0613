// What configure() changes about a shutdown, on real processes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const PREAMBLE = `
  import { configure, exit, exiting, register } from "atexit";
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const stay = () => setTimeout(() => {}, 20_000);
`;

const end = (source: string, env: NodeJS.ProcessEnv = {}) =>
  runProgram(PREAMBLE + source, { env: { ...process.env, ...env } });

describe("configuration", { concurrency: 3 }, () => {
  for (const by of ["the program", "the environment"]) {
    test(`processExit "sync", set by ${by}: process.exit() starts asynchronous cleanups, names them, and never throws`, async () => {
      const ended = await end(
        `${by === "the program" ? 'configure({ processExit: "sync" });' : ""}
           register(() => console.log("below"));
           register({ name: "db" }, async () => { console.log("begun"); await sleep(1); console.log("never"); });
           try { process.exit(3); } finally { console.log("never"); }`,
        by === "the program" ? {} : { ATEXIT_PROCESS_EXIT: "sync" },
      );
      assert.equal(ended.stdout, "begun\nbelow\n");
      assert.match(
        ended.stderr,
        /^atexit: not awaited, since processExit is "sync":\n\s+"db"\n\s+registered at .*program\.mjs:\d+/,
      );
      assert.equal(statusOf(ended), "3");
    });
  }

  test("a signal that is not in the list ends the process as without the package", async () => {
    const ended = await end(
      `configure({ signals: ["SIGINT"] });
         register(() => console.log("never"));
         stay(); process.kill(process.pid, "SIGTERM");`,
    );
    assert.deepEqual([ended.stdout, statusOf(ended)], ["", "SIGTERM"]);
  });

  test("a list of signals that is set after a registration holds at once", async () => {
    const ended = await end(
      `register(() => console.log("cleanup"));
         configure({ signals: ["SIGINT", "SIGPROF"] });
         console.log(process.listenerCount("SIGTERM"), process.listenerCount("SIGPROF"));
         stay(); process.kill(process.pid, "SIGPROF");`,
    );
    assert.deepEqual([ended.stdout, statusOf(ended)], ["0 1\ncleanup\n", "SIGPROF"]);
  });

  test("work that `exiting` aborted does not become an uncaught error", async () => {
    const ended = await end(
      `const aborted = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
         register(() => sleep(20));
         void aborted(exiting);
         void aborted(exiting).then(() => {}, (reason) => console.log(reason.kind, reason.code, reason.signal, reason.error));
         stay(); process.kill(process.pid, "SIGTERM");`,
    );
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["signal 143 SIGTERM undefined\n", "", "SIGTERM"]);
  });

  test("exit() ends the process where nothing is registered", async () => {
    const ended = await end("process.on('exit', (code) => console.log('exit', code)); exit(5);");
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["exit 5\n", "", "5"]);
  });

  test("SystemExit is seen by no listener and is not a warning with --unhandled-rejections=warn", async () => {
    const ended = await end(
      `for (const event of ["uncaughtException", "uncaughtExceptionMonitor", "unhandledRejection", "warning"]) {
           process.on(event, (error) => console.log(event, error));
         }
         register(() => sleep(20));
         (async () => { process.exit(3); })();
         stay();`,
      { NODE_OPTIONS: "--unhandled-rejections=warn" },
    );
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["", "", "3"]);
  });

  test("SystemExit in a promise that is caught later is no warning either", async () => {
    const ended = await end(
      `for (const event of ["rejectionHandled", "unhandledRejection", "warning"]) {
           process.on(event, () => console.log(event));
         }
         let left;
         register(async () => { await sleep(10); left.catch(() => {}); await sleep(10); });
         left = (async () => { process.exit(3); })();
         stay();`,
    );
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["", "", "3"]);
  });

  test("a signal that only the program watches is the program's, beside signal-exit as well", async () => {
    const ended = await end(
      `import { onExit } from "signal-exit";
         configure({ signals: ["SIGWINCH", "SIGTERM"] });
         onExit(() => {});
         register(() => console.log("cleanup"));
         process.on("SIGWINCH", () => { console.log("the program's"); setTimeout(() => process.exit(4), 10); });
         stay(); process.kill(process.pid, "SIGWINCH");`,
    );
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["the program's\ncleanup\n", "", "4"]);
  });
});
