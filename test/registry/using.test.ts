// A registration as a resource of a scope. As a source this file takes a Node that
// knows `using` (24 and later); as tsc compiles it, any.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { clear, count, register } from "../../src/index.ts";
import { isSettled, pending } from "../support/pending.ts";
import { evaluate } from "../support/program.ts";

afterEach(() => clear());

describe("using", () => {
  it("runs the cleanups at the end of the scope, last in, first out", () => {
    const calls: string[] = [];
    const log = (name: string) => void calls.push(name);
    {
      using _first = register(log, "first");
      using _second = register(log, "second");
      calls.push("body");
    }
    assert.deepEqual(calls, ["body", "second", "first"]);
    assert.equal(count(), 0);
  });

  it("awaits an asynchronous cleanup at the end of an `await using` scope", async () => {
    const calls: string[] = [];
    {
      await using _handle = register(async () => {
        await turn();
        calls.push("cleanup");
      });
      calls.push("body");
    }
    calls.push("after");
    assert.deepEqual(calls, ["body", "cleanup", "after"]);
  });

  it("runs the cleanup when the scope is left by a throw", () => {
    let calls = 0;
    assert.throws(() => {
      using _handle = register(() => {
        calls += 1;
      });
      throw new Error("in the scope");
    }, /in the scope/);
    assert.equal(calls, 1);
  });

  it("throws what the cleanup throws", async () => {
    const error = new Error("cannot release");
    const fail = () => {
      throw error;
    };
    assert.throws(
      () => {
        using _handle = register(fail);
      },
      (thrown) => thrown === error,
    );
    await assert.rejects(
      async () => {
        await using _handle = register(fail);
      },
      (thrown) => thrown === error,
    );
  });

  it("does nothing after run() and after cancel()", async () => {
    let calls = 0;
    const cleanup = () => {
      calls += 1;
    };
    {
      using ran = register(cleanup);
      await using ranAsync = register(async () => cleanup());
      using cancelled = register(cleanup);
      ran.run();
      await ranAsync.run();
      cancelled.cancel();
    }
    assert.equal(calls, 2);
  });

  it("waits, where run() has begun, for its end", async () => {
    const { cleanup, resolve, calls } = pending<void>();
    const handle = register(cleanup);
    const ended = handle.run();
    const disposed = handle[Symbol.asyncDispose]();
    assert.equal(await isSettled(disposed), false);
    resolve();
    await Promise.all([ended, disposed]);
    assert.equal(calls(), 1);
  });

  it("leaves the cleanup to the exit where that comes before the end of the scope, once", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, register } from "atexit";
      const handle = register(async () => { await null; console.log("cleanup"); });
      try {
        exit(3);
      } finally {
        await handle[Symbol.asyncDispose]();
      }`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "cleanup\n", stderr: "", code: 3 });
  });
});
