// A top-level await that is unsettled when nothing is left to do: status 13, also where
// cleanups, for which bare Node has no time, settle it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

/** Later versions decide it where no JavaScript can see it. */
const skip = !process.version.startsWith("v20.");

const LATER = "() => new Promise((resolve) => setTimeout(resolve, 400))";

const rows: Record<string, { readonly cleanup: string; readonly body: string }> = {
  "it rejects while cleanups are waited for": {
    cleanup: LATER,
    body: 'await new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 200).unref());',
  },
  "it resolves while cleanups are waited for": {
    cleanup: LATER,
    body: "await new Promise((resolve) => setTimeout(resolve, 200).unref());",
  },
  "a synchronous cleanup resolves it": {
    cleanup: "() => settle()",
    body: "await new Promise((resolve) => { settle = resolve; });",
  },
  "a cleanup leaves something running": {
    cleanup: "() => { settle(); setInterval(() => {}, 1_000); }",
    body: "await new Promise((resolve) => { settle = resolve; });",
  },
  "nothing settles it": { cleanup: LATER, body: "await new Promise(() => {});" },
  "the program has set another status": {
    cleanup: LATER,
    body: "process.exitCode = 4; await new Promise((resolve) => setTimeout(resolve, 200).unref());",
  },
};

const program = (cleanup: string | undefined, body: string, thread: "main" | "worker") => `
  import { configure, register } from "atexit";
  import { writeSync } from "node:fs";
  import { isMainThread, Worker } from "node:worker_threads";
  let settle;
  if (isMainThread && ${thread === "worker"}) {
    const worker = new Worker(new URL(import.meta.url));
    worker.on("exit", (code) => { process.exitCode = code; }).on("error", () => {});
  } else {
    configure({ grace: 1_000 });
    process.on("exit", () => writeSync(1, "status " + process.exitCode + "\\n"));
    ${cleanup === undefined ? "" : `register(${cleanup});`}
    ${body}
  }`;

describe("a top-level await that is unsettled at the natural end", { concurrency: 2, skip }, () => {
  for (const [name, { cleanup, body }] of Object.entries(rows)) {
    for (const thread of ["main", "worker"] as const) {
      test(`the status is that of bare Node: ${name}, in a ${thread} thread`, async () => {
        const [bare, ours] = await Promise.all([
          runProgram(program(undefined, body, thread)),
          runProgram(program(cleanup, body, thread)),
        ]);
        assert.deepEqual([ours.code, ours.stdout], [bare.code, bare.stdout], ours.stderr);
      });
    }
  }
});
