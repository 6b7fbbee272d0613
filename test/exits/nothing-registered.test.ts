// Nothing registered, nothing there: the first registration installs what is
// needed, the last one to go takes it all away, and nothing keeps the event
// loop alive or ends it early.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

/** What anybody could see of the process: listeners, replaced functions, handles. */
const LOOK = `
  import { getEventListeners } from "node:events";
  import * as named from "node:process";
  function look() {
    const listeners = Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
    return {
      listeners,
      exit: process.exit,
      namedExit: named.exit,
      emit: Object.getOwnPropertyDescriptor(process, "emit"),
      reallyExit: process.reallyExit,
      maxListeners: process.getMaxListeners(),
      // A handle that Node itself has just closed shows for one turn of the loop.
      resources: process.getActiveResourcesInfo().filter((name) => name !== "CloseReq").sort(),
    };
  }
`;

const programs: readonly { name: string; source: string; stdout: string; nodeOptions?: string[] }[] = [
  {
    name: "the last of several registrations takes everything away, at once, in whatever way it goes",
    source: `${LOOK}
      import assert from "node:assert/strict";
      import { clear, register, run, unregister } from "atexit";
      const before = look();
      const goes = {
        cancel: (handle) => handle.cancel(),
        run: (handle) => handle.run(),
        asynchronous: (handle) => handle.run(),
        unregister: () => unregister(cleanup),
        clear: () => clear(),
        runAll: () => run(),
        dispose: (handle) => handle[Symbol.dispose](),
      };
      function cleanup() {}
      for (const [name, go] of Object.entries(goes)) {
        const other = register(() => {});
        const handle = register(name === "asynchronous" ? async () => {} : cleanup);
        assert.notDeepEqual(look().listeners, before.listeners);
        other.cancel();
        assert.notDeepEqual(look().listeners, before.listeners, "one is still there");
        assert.equal(look().exit, before.exit);
        await go(handle);
        assert.deepEqual(look(), before, name);
      }
      console.log("the same");`,
    stdout: "the same\n",
  },
  {
    name: "listeners of others stay as they are",
    source: `${LOOK}
      import assert from "node:assert/strict";
      import { register } from "atexit";
      const mine = () => {};
      process.on("SIGTERM", mine);
      process.once("exit", mine);
      const before = look();
      const handle = register(() => {});
      process.on("SIGINT", mine);
      handle.cancel();
      assert.deepEqual(process.listeners("SIGTERM"), [mine]);
      assert.deepEqual(process.listeners("SIGINT"), [mine]);
      process.off("SIGINT", mine);
      assert.deepEqual(look(), before);
      console.log("the same");`,
    stdout: "the same\n",
  },
  {
    name: "a million registrations and cancellations leave nothing, and the heap does not grow",
    nodeOptions: ["--expose-gc"],
    source: `${LOOK}
      import assert from "node:assert/strict";
      import { setTimeout as sleep } from "node:timers/promises";
      import { count, register, unregister } from "atexit";
      const before = look();
      const used = async () => { await sleep(100); gc(); await sleep(1); gc(); return process.memoryUsage().heapUsed; };
      const work = (n) => {
        const cleanup = () => {};
        for (let i = 0; i < n; i += 1) register(cleanup, i).cancel();
        for (let i = 0; i < n / 100; i += 1) { register(cleanup); register(() => {}); unregister(cleanup); }
        unregister(() => {});
        assert.equal(count(), n / 100);
      };
      const { clear } = await import("atexit");
      work(10_000); clear();
      const first = await used();
      work(1_000_000); clear();
      const grown = (await used()) - first;
      assert.ok(grown < 1_000_000, \`the heap has grown by \${grown} bytes\`);
      assert.deepEqual(look(), before);
      console.log("the same");`,
    stdout: "the same\n",
  },
  {
    name: "no number of registrations draws a warning of MaxListeners",
    source: `
      import { register } from "atexit";
      for (const signal of ["SIGTERM", "SIGINT"]) for (let i = 0; i < 10; i += 1) process.on(signal, () => {});
      for (let i = 0; i < 10_000; i += 1) register(() => {});
      const handle = register(() => {});
      for (let i = 0; i < 10; i += 1) process.on("SIGHUP", () => {});
      console.log("quiet");`,
    stdout: "quiet\n",
  },
  {
    name: "registrations do not keep the process alive, and do not end it early",
    source: `
      import { register } from "atexit";
      register(() => console.log("cleanup"));
      const started = process.uptime();
      setTimeout(() => console.log("timer"), 30);
      process.once("beforeExit", () => { setTimeout(() => console.log("more work"), 30); });
      process.on("beforeExit", () => console.log("beforeExit"));`,
    stdout: "timer\nbeforeExit\nmore work\nbeforeExit\ncleanup\n",
  },
  ...[
    "setImmediate(done)",
    "await null; setImmediate(done)",
    "await null; setTimeout(done, 0)",
    "for (let i = 0; i < 10; i += 1) await null; setImmediate(() => setImmediate(done))",
    "setTimeout(done, 1)",
    "randomBytes(1_000, done)",
    "readFile('/dev/null', done)",
  ].map((work) => ({
    name: `a beforeExit listener that goes on with ${work} each time is heard to its end`,
    source: `
      import { randomBytes } from "node:crypto";
      import { readFile } from "node:fs";
      import { register } from "atexit";
      register(() => console.log("cleanup"));
      let jobs = 3;
      const done = () => console.log("job", jobs);
      process.on("beforeExit", async () => { if (jobs-- > 0) { ${work}; } });`,
    stdout: "job 2\njob 1\njob 0\ncleanup\n",
  })),
  {
    name: "others see beforeExit once, also where cleanups are asynchronous",
    source: `
      import { register } from "atexit";
      register(() => new Promise((resolve) => setTimeout(resolve, 5)));
      process.on("beforeExit", () => console.log("beforeExit"));
      process.on("exit", () => console.log("exit"));`,
    stdout: "beforeExit\nexit\n",
  },
];

describe("nothing registered, nothing there", { concurrency: 2 }, () => {
  for (const { name, source, stdout, nodeOptions = [] } of programs) {
    test(name, async () => {
      const ended = await runProgram(source, { nodeOptions });
      assert.deepEqual([ended.stdout, ended.stderr, ended.code], [stdout, "", 0]);
    });
  }
});
