// A scope's cleanups run together, once, and at exit in their places; work that is
// going on is waited for.

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { clear, count, register } from "../../src/index.ts";
import { busy, scope } from "../../src/scope/index.ts";
import { evaluate } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

afterEach(() => clear());

const said: string[] = [];
const say = (word: string) => void said.push(word);
const taken = () => said.splice(0);

describe("scope()", () => {
  test("runs its cleanups last in, first out, one at a time, once", async () => {
    const tests = scope("tests");
    register(say, "outside");
    tests.register(say, "first");
    tests.register(async () => {
      await Promise.resolve();
      say("second");
    });
    const cancelled = tests.register(say, "never");
    const early = tests.register(say, "early");
    early.run();
    cancelled.cancel();
    await tests.run();
    await tests.run();
    assert.deepEqual([taken(), count(), tests.disposed], [["early", "second", "first"], 1, true]);
  });

  test("runs all though some fail, and says what failed", async () => {
    const tests = scope("tests");
    tests.register(say, "runs");
    for (const n of [1, 2]) tests.register(() => Promise.reject(new Error(`boom ${n}`)));
    await assert.rejects(tests.run(), (error: AggregateError) => {
      assert.deepEqual(
        error.errors.map(({ message }: Error) => message),
        ["boom 2", "boom 1"],
      );
      return /2 cleanups of tests failed/.test(error.message);
    });
    assert.deepEqual(taken(), ["runs"]);
  });

  test("has the methods of AsyncDisposableStack", async () => {
    const tests = scope("tests");
    tests.defer(() => say("deferred"));
    assert.equal(
      tests.adopt("value", (value) => say(`adopted ${value}`)),
      "value",
    );
    const resource = { [Symbol.dispose]: () => say("used") };
    assert.equal(tests.use(resource), resource);
    tests.use({ [Symbol.asyncDispose]: async () => say("used, too") });
    assert.equal(tests.use(null), null);
    assert.throws(() => tests.use({} as Disposable), { name: "TypeError", code: "ERR_ATEXIT_NOT_DISPOSABLE" });
    const moved = tests.move();
    assert.deepEqual([tests.disposed, moved.disposed], [true, false]);
    await tests[Symbol.asyncDispose]();
    assert.deepEqual(taken(), []);
    await moved[Symbol.asyncDispose]();
    assert.deepEqual(taken(), ["used, too", "used", "adopted value", "deferred"]);
  });

  test("nests: the inner one ends with the outer one, or before", async () => {
    const outer = scope("outer");
    outer.register(say, "outer");
    const ended = outer.scope("ended");
    ended.register(say, "ended");
    await ended.run();
    outer.scope("inner").register(say, "inner");
    outer.register(say, "last");
    await outer.run();
    assert.deepEqual(taken(), ["ended", "last", "inner", "outer"]);
    const cancelled = scope("cancelled");
    cancelled.scope("inner").register(say, "never");
    cancelled.register(say, "never");
    cancelled.cancel();
    assert.deepEqual([taken(), count()], [[], 0]);
  });

  test("refuses what is no function, as register() does", () => {
    const tests = scope("tests");
    for (const given of [undefined, 7, {}]) {
      assert.throws(() => tests.register(given as never), { code: "ERR_ATEXIT_NOT_A_FUNCTION" });
      assert.throws(() => tests.defer(given as never), { code: "ERR_ATEXIT_NOT_A_FUNCTION" });
    }
    tests.cancel();
  });

  test("takes nothing when it has ended, and no name that reports could not show", async () => {
    const tests = scope("tests");
    await tests.run();
    for (const call of [() => tests.register(say, "x"), () => tests.scope("x"), () => tests.defer(() => {})]) {
      assert.throws(call, { name: "ReferenceError", code: "ERR_ATEXIT_SCOPE_ENDED" });
    }
    assert.throws(() => scope(""), { code: "ERR_ATEXIT_SCOPE_NAME" });
    assert.throws(() => busy(1 as never), { code: "ERR_ATEXIT_SCOPE_NAME" });
  });

  test("what is left of it runs at exit, each in its place, and reports name it", async () => {
    const ended = await evaluate(`
      import { register } from "atexit";
      import { scope } from "atexit/scope";
      register(() => console.log("below"));
      const tests = scope("tests");
      tests.register(() => console.log("in it"));
      register(() => console.log("between"));
      tests.register({ name: "hangs", timeout: 500 }, () => new Promise(() => setTimeout(() => {}, 20_000)));
      tests.scope("inner").register(function fails() { throw new Error("boom"); });
      tests.defer({ "fails on use"() { throw new Error("used"); } }["fails on use"]);
      setTimeout(() => {}, 20_000);
      process.kill(process.pid, "SIGTERM");`);
    assert.equal(ended.stdout, "between\nin it\nbelow\n");
    assert.match(ended.stderr, /cleanup "tests: inner: fails" failed: Error: boom/);
    assert.match(ended.stderr, /cleanup "tests: hangs" has not settled/);
    assert.match(ended.stderr, /cleanup "tests: fails on use".*\n(?: .*\n)*? *registered at .*program\.mjs:10:13\n/);
    assert.equal(statusOf(ended), "SIGTERM");
  });
});

describe("busy()", () => {
  test("a shutdown waits for the work, before what it uses is cleaned up", async () => {
    const ended = await evaluate(`
      import { exiting, register } from "atexit";
      import { busy } from "atexit/scope";
      register(() => console.log("pool closed"));
      const work = busy("import 42");
      exiting.addEventListener("abort", () => setTimeout(() => { console.log("work done"); work.end(); }, 20));
      register(() => console.log("above"));
      setTimeout(() => {}, 20_000);
      process.kill(process.pid, "SIGTERM");`);
    assert.deepEqual([ended.stdout, ended.stderr], ["above\nwork done\npool closed\n", ""]);
    assert.equal(statusOf(ended), "SIGTERM");
  });

  test("work that is done is nothing to wait for; work that never is has its time", async () => {
    const ended = await evaluate(`
      import { count } from "atexit";
      import { busy } from "atexit/scope";
      const done = busy("done");
      done.end();
      done[Symbol.dispose]();
      console.log(count());
      busy("never", { timeout: 500 });
      process.exit(0);`);
    assert.equal(ended.stdout, "0\n");
    assert.match(ended.stderr, /^atexit: cleanup "never" has not settled and was given up after 500 ms/);
    assert.equal(statusOf(ended), "1");
  });
});
