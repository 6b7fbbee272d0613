// The ways out, on the system that this runs on: both kinds of cleanups happen, and
// the status is what it is without this package.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { withUrls } from "../support/package-under-test.ts";
import { isWindows, Place } from "./on-this-system.ts";

const CLEANUPS = `
  import { register } from "atexit";
  register(() => say("first registered"));
  register(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    say("asynchronous");
  });
  register(() => say("last registered"));
`;

const ALL = ["last registered", "asynchronous", "first registered"];

const WAYS: readonly [name: string, source: string][] = [
  ["the natural end", ""],
  ["a natural end with an exit code", "process.exitCode = 4;"],
  ["a top-level await that never settles", "await new Promise(() => {});"],
  ["process.exit(3)", "process.exit(3);"],
  ["process.exit(3) in a timer", "setTimeout(() => process.exit(3), 10); setInterval(() => {}, 1_000);"],
  ["process.exit(3) in a promise", "Promise.resolve().then(() => process.exit(3)); setInterval(() => {}, 1_000);"],
  ["a throw", 'throw new Error("thrown");'],
  ["a throw in a timer", 'setTimeout(() => { throw new Error("thrown"); }, 10);'],
  ["a rejection", 'Promise.reject(new Error("rejected")); setInterval(() => {}, 1_000);'],
  ["the end of the parent's channel", 'process.on("message", () => {}); process.disconnect();'],
];

for (const [name, source] of WAYS) {
  test(name, async (t) => {
    const place = new Place(t);
    const isDisconnect = source.includes("disconnect");
    const bare = place.start(isDisconnect ? 'process.once("disconnect", () => process.exit());' + source : source);
    const program = place.start(CLEANUPS + source);
    const [expected, ended] = [await bare.ended(), await program.ended()];
    assert.deepEqual(program.lines, ALL, program.stderr);
    assert.deepEqual(ended, expected);
    const told = (text: string) => text.match(/Error: .*/g);
    assert.deepEqual(told(program.stderr), told(bare.stderr));
    // Line by line as Node ends its lines here.
    const ends = (text: string) => text.includes("\r\n");
    assert.equal(ends(program.stderr), ends(bare.stderr));
  });
}

test("a worker's own cleanups, at its end and at its process.exit()", async (t) => {
  const place = new Place(t);
  const worker = place.write(
    "worker.mjs",
    withUrls(`import { workerData } from "node:worker_threads";
      import { writeSync } from "node:fs";
      import { register } from "atexit";
      register(async () => { await null; writeSync(1, "cleaned up\\n"); });
      if (workerData !== "") process.exit(4);`),
  );
  const program = place.start(`
    import { Worker } from "node:worker_threads";
    for (const end of ["", "process.exit(4);"]) {
      const worker = new Worker(new URL(${JSON.stringify(pathToFileURL(worker).href)}), { workerData: end });
      const code = await new Promise((resolve) => worker.once("exit", resolve));
      say("status " + code);
    }`);
  assert.equal((await program.ended()).code, 0, program.stderr);
  assert.deepEqual(program.lines, ["cleaned up", "status 0", "cleaned up", "status 4"]);
});

test("when a console is closed all is over before Windows ends the program", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  const program = place.start(`
    import { register } from "atexit";
    register(() => say("after it"));
    register(() => new Promise(() => {}));
    setInterval(() => {}, 1_000);
    const began = performance.now();
    process.on("exit", () => say("took " + (performance.now() - began)));
    process.emit("SIGHUP", "SIGHUP", 1); // as libuv has it for CTRL_CLOSE_EVENT`);
  await program.ended();
  assert.equal(program.lines[0], "after it", program.stderr);
  const took = Number(await program.heard("took "));
  assert.ok(took < 5_000, `${took} ms, and Windows gives 5 s`);
});

test("a signal that this system has", { skip: isWindows && "no process can be sent one" }, async (t) => {
  const place = new Place(t);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const program = place.start(`${CLEANUPS} say("ready"); setInterval(() => {}, 1_000);`);
    await program.heard("ready");
    program.child.kill(signal);
    assert.deepEqual(await program.ended(), { code: null, signal });
    assert.deepEqual(program.lines.slice(1), ALL);
  }
});
