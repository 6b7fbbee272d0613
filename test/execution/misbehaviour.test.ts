// Cleanups that misbehave: all the others still run, the report says which one
// it was, where it was registered and what happened, and the process ends
// within its grace period.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { printed, statusOf, withDirectory } from "../support/run.ts";

interface Row {
  readonly name: string;
  /** The misbehaving registration, between two good ones. */
  readonly register: string;
  readonly stdout?: readonly string[];
  /** What stderr has to say, each in its order. */
  readonly stderr?: readonly RegExp[];
  readonly leave?: string;
  readonly status: string;
  readonly setUp?: string;
}

const GOOD = ["above", "below"];
const PLACE = /registered at .*program\.mjs:\d+:\d+/;

const rows: readonly Row[] = [
  {
    name: "a cleanup that throws",
    register: `register(function release() { throw new Error("no such lock") });`,
    stderr: [/cleanup "release" failed: Error: no such lock/, /at release .*program\.mjs/, PLACE],
    status: "1",
  },
  {
    name: "a named cleanup that rejects",
    register: `register({ name: "db" }, async () => { await sleep(1); throw new Error("gone away") });`,
    stderr: [/cleanup "db" failed: Error: gone away/, PLACE],
    status: "1",
  },
  {
    name: "a cleanup that throws undefined",
    register: "register(() => { throw undefined });",
    stderr: [/cleanup \(anonymous\) failed: undefined/, PLACE],
    status: "1",
  },
  {
    name: "a cleanup that throws what cannot be shown",
    register: `register(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy; });
      register(() => { throw { get message() { throw 1 }, get stack() { throw 2 } } });`,
    stderr: [/failed/, /failed/],
    status: "1",
  },
  {
    name: "a cleanup that returns a thenable which throws",
    register: "register(() => ({ get then() { throw new Error('no then') } }));",
    stderr: [/failed: Error: no then/],
    status: "1",
  },
  {
    name: "a failed cleanup turns 0 into 1 and nothing else",
    register: "register(() => { throw new Error('x') }); process.exitCode = 6;",
    stderr: [/failed/],
    status: "6",
  },
  {
    name: "a failed cleanup after process.exit(0)",
    register: "register(() => { throw new Error('x') });",
    leave: "process.exit(0)",
    stderr: [/failed/],
    status: "1",
  },
  {
    name: "a failed cleanup does not change a death by signal",
    register: "register(() => { throw new Error('x') });",
    leave: "stay(); process.kill(process.pid, 'SIGTERM')",
    stderr: [/failed/],
    status: "SIGTERM",
  },
  {
    name: "a failed cleanup does not change the status of a top-level await that never settles",
    register: "register(() => { throw new Error('x') });",
    leave: "await new Promise(() => {})",
    stderr: [/failed/],
    status: "13",
  },
  {
    name: "a cleanup that never settles is given up at its own timeout",
    register: `register({ name: "stuck", timeout: 500 }, () => new Promise(() => {}));`,
    stderr: [/cleanup "stuck" has not settled and was given up after 500 ms/, PLACE],
    status: "1",
  },
  {
    name: "a cleanup that never settles is given up at the timeout of all",
    setUp: "configure({ timeout: 500 })",
    register: "register(function stuck() { return new Promise(() => {}) });",
    stderr: [/cleanup "stuck" has not settled and was given up after 500 ms/, PLACE],
    status: "1",
  },
  {
    name: "a cleanup that never settles is given up when the grace period is over, and the rest is called",
    setUp: "configure({ grace: 500 })",
    register: "register(function stuck() { return new Promise(() => {}) });",
    stderr: [/cleanup "stuck" has not settled and was given up after \d+ ms/],
    status: "1",
  },
  {
    name: "one that never settles leaves those before it time to be waited for",
    setUp: "configure({ grace: 1_000 })",
    register: `register(async function patient() { await new Promise((resolve) => setTimeout(resolve, 100)); console.error("patient is done"); });
      register(function stuck() { return new Promise(() => {}) });`,
    stderr: [/cleanup "stuck" has not settled and was given up after \d{3} ms/, /patient is done/],
    status: "1",
  },
  {
    name: "a cleanup that never settles, and then a signal",
    setUp: "configure({ grace: 500 })",
    register: "register(function stuck() { return new Promise(() => {}) });",
    leave: "stay(); process.kill(process.pid, 'SIGTERM')",
    stderr: [/"stuck" has not settled/],
    status: "SIGTERM",
  },
  {
    name: "a cleanup that fails after it was given up is reported once",
    register: `register({ timeout: 300 }, async function late() { await sleep(600); throw new Error("late") });
      register(() => sleep(1));
      globalThis.after = () => sleep(700);`,
    stderr: [/"late" has not settled/],
    status: "1",
  },
  {
    name: "a timeout of 0 calls and does not wait",
    register: `register({ timeout: 0 }, async () => { console.log("started"); await sleep(5_000); console.log("never") });`,
    leave: "process.exit(0)",
    stdout: ["above", "started", "below"],
    status: "0",
  },
  {
    name: "a cleanup that blocks the event loop is stopped at its own timeout",
    register: `register({ name: "loop", timeout: 100 }, () => { for (;;); });`,
    stderr: [/cleanup "loop" blocked the event loop and was stopped after \d+ ms/, PLACE],
    status: "1",
  },
  {
    name: "a cleanup that blocks the event loop is stopped when the grace period is over",
    setUp: "configure({ grace: 500 })",
    register: "register(function loop() { for (;;); });",
    stderr: [/cleanup "loop" blocked the event loop and was stopped after \d+ ms/],
    status: "1",
  },
  {
    name: "a cleanup that waits on a lock for ever is stopped",
    setUp: "configure({ grace: 500 })",
    register: "register(function wait() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) });",
    leave: "process.exit(4)",
    stderr: [/cleanup "wait" blocked the event loop/],
    status: "4",
  },
  {
    name: "cleanups that are called after the grace period do not pay for one another",
    setUp: `configure({ grace: 500 });
      let called = 0;
      const work = () => { for (const end = performance.now() + 10; performance.now() < end;); called += 1 };
      register(() => console.log(called));`,
    register: `for (let n = 0; n < 40; n += 1) register(work);
      register(function stuck() { return new Promise(() => {}) });`,
    stdout: ["above", "below", "40"],
    stderr: [/cleanup "stuck" has not settled/, /not awaited, .*"?\(anonymous\)/s],
    status: "1",
  },
  {
    name: "a cleanup that registers more: they are next",
    register: `register(() => { register(() => console.log("later")); register(() => console.log("next")); console.log("registers") });`,
    stdout: ["above", "registers", "next", "later", "below"],
    status: "0",
  },
  {
    name: "an asynchronous cleanup that registers more: they come when it has ended",
    register: `register(async () => { register(async () => { await sleep(1); console.log("next") }); await sleep(5); console.log("ended") });`,
    stdout: ["above", "ended", "next", "below"],
    status: "0",
  },
  {
    name: "a cleanup that registers one more for ever ends with the grace period",
    setUp: "configure({ grace: 500 })",
    register: "register(function again() { register(again); return sleep(1) });",
    leave: "process.exit(3)",
    stderr: [/not called: 1 cleanup registered after the grace period was over/, /"again"/],
    status: "3",
  },
  {
    name: "a cleanup that unregisters itself and throws",
    register: "register(function once() { unregister(once); throw new Error('after all') });",
    stderr: [/cleanup "once" failed: Error: after all/],
    status: "1",
  },
  {
    name: "a cleanup that cancels one below",
    register: `const victim = register(() => console.log("never")); register(() => { victim.cancel() });`,
    status: "0",
  },
  {
    name: "a cleanup that runs one below: it does not run again",
    register: `const inner = register(async () => { await sleep(5); console.log("inner") }); register(() => inner.run());`,
    stdout: ["above", "inner", "below"],
    status: "0",
  },
  {
    name: "a cleanup that calls exit(7) changes the code",
    register: "register(() => exit(7));",
    leave: "process.exit(3)",
    status: "7",
  },
  {
    name: "an asynchronous cleanup that calls process.exit(7) changes the code",
    register: "register(async () => { await sleep(5); process.exit(7) });",
    leave: "process.exit(3)",
    status: "7",
  },
  {
    name: "a cleanup that calls exit(7) at the natural end",
    register: "register(async () => { await sleep(5); exit(7) });",
    status: "7",
  },
  {
    name: "a cleanup that calls exit(7) after an uncaught error",
    register: "register(() => exit(7));",
    leave: "throw new Error('boom')",
    stderr: [/boom/],
    status: "7",
  },
  {
    name: "a cleanup that calls exit(7) on the way out by a signal: it is an order",
    register: "register(() => exit(7));",
    leave: "stay(); process.kill(process.pid, 'SIGTERM')",
    status: "7",
  },
  {
    name: "exit(7) outside a cleanup while cleanups run: the first code stands",
    register: "register(() => sleep(30));",
    leave: "setTimeout(() => process.exit(7), 10); process.exit(3)",
    status: "3",
  },
  {
    name: "a cleanup that prints a megabyte and returns",
    register: `register(() => { process.stdout.write("x".repeat(1 << 20) + "\\n") });`,
    leave: "process.exit(0)",
    stdout: ["above", "x".repeat(1 << 20), "below"],
    status: "0",
  },
  {
    name: "a cleanup whose timer throws: reported, the rest runs",
    register: `register(() => new Promise((resolve) => { setTimeout(() => { throw new Error("stray") }, 1); setTimeout(resolve, 20) }));`,
    stderr: [/Error: stray/],
    status: "1",
  },
  {
    name: "a cleanup that throws, and its report cannot be made",
    register: `register({ name: "broken" }, () => { String.prototype.replaceAll = () => { throw 1 }; throw new Error("as it must") });`,
    leave: "process.exit(3)",
    stderr: [/^atexit: a report about a cleanup could not be made\n$/],
    status: "3",
  },
  {
    name: "a cleanup that throws, and nothing can be written to stderr",
    register: `register({ name: "broken" }, () => { Buffer.from = () => { throw 1 }; throw new Error("as it must") });`,
    leave: "process.exit(3)",
    stdout: GOOD,
    stderr: [],
    status: "3",
  },
  {
    name: "a cleanup that rejects, and its report cannot be made",
    register: `register({ name: "broken" }, async () => { await null; String.prototype.replaceAll = () => { throw 1 }; throw new Error("as it must") });`,
    leave: "process.exit(3)",
    stderr: [/^atexit: a report about a cleanup could not be made\n$/],
    status: "3",
  },
  {
    name: "a cleanup that rejects, and nothing can be written to stderr",
    register: `register({ name: "broken" }, async () => { await null; Buffer.from = () => { throw 1 }; throw new Error("as it must") });`,
    leave: "process.exit(3)",
    stdout: GOOD,
    stderr: [],
    status: "3",
  },
  {
    name: "a cleanup that removes all listeners of the process",
    register: "register(async () => { process.removeAllListeners(); await sleep(5) });",
    leave: "process.exit(3)",
    status: "3",
  },
  {
    name: "a cleanup that leaves work behind at the natural end is waited for, within the grace period",
    setUp: "configure({ grace: 300 })",
    register: `register(() => { setTimeout(() => console.log("telemetry"), 30); setInterval(() => {}, 1_000) });`,
    stdout: ["above", "below", "telemetry"],
    status: "0",
  },
];

describe("cleanups that misbehave", { concurrency: 3 }, () => {
  for (const row of rows) {
    test(row.name, async () => {
      const source = `
          import { configure, exit, register, unregister } from "atexit";
          const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
          const stay = () => setTimeout(() => {}, 20_000);
          ${row.setUp ?? ""};
          register(() => globalThis.after?.());
          register(async () => { console.log("below") });
          ${row.register}
          register(() => { console.log("above") });
          ${row.leave ?? ""};`;
      const startedAt = performance.now();
      const ended = await runProgram(source);
      assert.deepEqual(ended.stdout.split("\n").slice(0, -1), row.stdout ?? GOOD, ended.stderr);
      let rest = ended.stderr;
      for (const expected of row.stderr ?? []) {
        const at = rest.search(expected);
        assert.notEqual(at, -1, `${expected} in ${JSON.stringify(rest)} of ${ended.stderr}`);
        rest = rest.slice(at).replace(expected, "");
      }
      if (row.stderr === undefined) assert.equal(ended.stderr, "");
      else if (row.leave === undefined) assert.doesNotMatch(rest, /atexit: cleanup/, "reported once");
      assert.equal(statusOf(ended), row.status, ended.stderr);
      assert.ok(performance.now() - startedAt < 9_000, "it does not wait for the default grace period");
    });
  }
});

describe("a promise that is rejected while cleanups run, and that nobody awaits", () => {
  const leaves = {
    "process.exit": ["process.exit(0);", "0"],
    SIGTERM: ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
    "the natural end": ["", "0"],
  } as const;
  const children = {
    execa:
      'import { execa } from "execa"; const start = () => execa("sleep", ["60"]); const of = (started) => started;',
    "promisify(execFile)":
      'import { execFile } from "node:child_process"; import { promisify } from "node:util"; const start = () => promisify(execFile)("sleep", ["60"]); const of = (started) => started.child;',
  };
  for (const [library, source] of Object.entries(children)) {
    for (const [way, [leave, status]] of Object.entries(leaves)) {
      test(`${way}: that of ${library}, whose child a cleanup has ended, changes no status and is one line`, async () => {
        const ended = await runProgram(`
          import { register } from "atexit";
          import { child } from "atexit/resources";
          ${source}
          register(async () => { await new Promise((resolve) => setTimeout(resolve, 50)); console.log("older"); });
          const started = start();
          child(of(started));
          ${way === "the natural end" ? "of(started).unref(); for (const stream of [of(started).stdin, of(started).stdout, of(started).stderr]) stream?.unref?.();" : ""}
          await new Promise((resolve) => setTimeout(resolve, 50));
          ${leave}`);
        assert.equal(ended.stdout, "older\n");
        assert.equal(statusOf(ended), status, ended.stderr);
        assert.match(
          ended.stderr,
          /^(?:atexit: a promise was rejected while cleanups ran, which changes nothing: .*\n)?$/,
        );
      });
    }
  }

  test("one that a cleanup has made is a failure of the cleanup", async () => {
    const ended = await runProgram(`
      import { register } from "atexit";
      register(async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        void (async () => { await null; throw new Error("floating"); })();
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
      process.exit(0);`);
    assert.equal(statusOf(ended), "1");
    assert.match(ended.stderr, /Error: floating\n {4}at /);
  });
});

test("what a cleanup begins after it has returned has the rest of the grace period, and no more", async () => {
  const source = `
      import { configure, register } from "atexit";
      import { writeSync } from "node:fs";
      configure({ grace: 300 });
      register(() => {
        writeSync(1, "cleanup\\n"); // to open process.stdout would be something that is left
        void Promise.resolve().then(() => setInterval(() => {}, 1_000));
      });`;
  const ended = await runProgram(source, { limit: 8_000 });
  assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["cleanup\n", "", "0"]);
});

test("a reader who has gone does not make a listener that reports errors go round for ever", async () => {
  await withDirectory(async (directory) => {
    const file = join(directory, "done");
    const source = `
      import { writeFileSync } from "node:fs";
      import { register } from "atexit";
      process.on("uncaughtException", (error) => console.error(error));
      register(async () => {
        console.error("the cleanup begins");
        await new Promise((resolve) => setTimeout(resolve, 200));
        writeFileSync(${JSON.stringify(file)}, "");
      });
      console.log("ready");
      setInterval(() => {}, 1_000);`;
    const ended = await runProgram(source, {
      async act(child) {
        await printed(child, "ready\n");
        child.stdout?.destroy();
        child.stderr?.destroy();
        child.kill("SIGTERM");
      },
    });
    assert.equal(statusOf(ended), "SIGTERM");
    assert.ok(existsSync(file), "its cleanup has come to its end");
  });
});
