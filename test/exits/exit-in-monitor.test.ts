// process.exit() in a listener of `uncaughtExceptionMonitor`: the process ends with its
// status once the cleanups have ended, and nothing is printed, as by bare Node.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

const leaves: Record<string, string> = {
  "a throw": 'setTimeout(() => { throw new Error("thrown"); });',
  "a rejection": 'Promise.reject(new Error("rejected"));',
  "a throw of no object": "setTimeout(() => { throw undefined; });",
};

const program = (leave: string, thread: "main" | "worker") => `
  import { register } from "atexit";
  import { writeSync } from "node:fs";
  import { isMainThread, Worker } from "node:worker_threads";
  if (isMainThread && ${thread === "worker"}) {
    const worker = new Worker(new URL(import.meta.url));
    worker.on("exit", (code) => { process.exitCode = code; });
  } else {
    register(async () => { await new Promise((resolve) => setTimeout(resolve, 50)); writeSync(1, "cleaned up\\n"); });
    process.on("uncaughtExceptionMonitor", () => process.exit(3));
    ${leave}
    setInterval(() => {}, 1_000);
  }`;

describe("process.exit() in a monitor of uncaught exceptions", { concurrency: 2 }, () => {
  for (const thread of ["main", "worker"] as const) {
    for (const [name, leave] of Object.entries(leaves)) {
      test(`${name}, in a ${thread} thread`, async () => {
        const { stdout, stderr, code } = await runProgram(program(leave, thread));
        assert.deepEqual({ stdout, stderr, code }, { stdout: "cleaned up\n", stderr: "", code: 3 });
      });
    }
  }
});
