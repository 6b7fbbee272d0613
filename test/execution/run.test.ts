// run(): all cleanups, now.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { clear, count, register, run } from "../../src/index.ts";
import { isSettled, pending } from "../support/pending.ts";
import { evaluate } from "../support/program.ts";

afterEach(() => clear());

describe("run()", () => {
  it("runs synchronous cleanups right there, last in, first out, and returns nothing", () => {
    const calls: number[] = [];
    for (const n of [1, 2, 3]) register((n: number) => void calls.push(n), n);
    assert.equal(run(), undefined);
    assert.deepEqual(calls, [3, 2, 1]);
    assert.equal(count(), 0);
    run();
    assert.deepEqual(calls, [3, 2, 1], "a second run() finds nothing");
  });

  it("starts a cleanup when the one above it has ended, its promise included", async () => {
    const calls: string[] = [];
    const { cleanup, resolve } = pending<void>();
    register(() => void calls.push("below"));
    register(cleanup);
    register(() => void calls.push("above"));
    const ended = run();
    assert.deepEqual(calls, ["above"]);
    assert.equal(await isSettled(ended), false);
    assert.deepEqual(calls, ["above"]);
    resolve();
    await ended;
    assert.deepEqual(calls, ["above", "below"]);
  });

  it("waits for a cleanup that its handle has begun, and leaves its failure to that caller", async () => {
    const calls: string[] = [];
    const { cleanup, reject } = pending<void>();
    register(() => void calls.push("below"));
    const first = register(cleanup).run() as Promise<void>;
    const failure = assert.rejects(first, /cannot release/);
    const ended = run();
    await isSettled(ended);
    assert.deepEqual(calls, []);
    reject(new Error("cannot release"));
    await Promise.all([ended, failure]);
    assert.deepEqual(calls, ["below"]);
  });

  it("runs what a cleanup registers next", async () => {
    const calls: string[] = [];
    const log = (name: string) => void calls.push(name);
    register(log, "below");
    register(() => {
      log("registers");
      register(log, "registered");
    });
    register(async () => {
      await turn();
      register(log, "registered late");
    });
    await run();
    assert.deepEqual(calls, ["registered late", "registers", "registered", "below"]);
  });

  it("does not run what a cleanup cancels", () => {
    const calls: string[] = [];
    const handle = register(() => void calls.push("cancelled"));
    register(() => void handle.cancel());
    run();
    assert.deepEqual(calls, []);
  });

  const errors = ["a", "b", "c"].map((name) => new Error(name));
  const throws = (error: unknown) => {
    throw error;
  };
  const rejects = async (error: unknown) => throws(error);

  for (const [what, fail] of Object.entries({ throws, rejects })) {
    it(`gives its caller the one error of a cleanup that ${what}, when all have run`, async () => {
      let calls = 0;
      register(() => {
        calls += 1;
      });
      register(fail, errors[0]);
      register(() => {
        calls += 1;
      });
      await assert.rejects(
        async () => run(),
        (thrown) => thrown === errors[0],
      );
      assert.equal(calls, 2);
    });
  }

  it("throws synchronously where all cleanups are synchronous", () => {
    register(throws, errors[0]);
    assert.throws(run, (thrown) => thrown === errors[0]);
  });

  it("gives its caller an AggregateError of several, in the order of their cleanups", async () => {
    let calls = 0;
    register(throws, errors[2]);
    register(() => {
      calls += 1;
    });
    register(rejects, errors[1]);
    register(throws, errors[0]);
    await assert.rejects(
      async () => run(),
      (thrown) => {
        assert.ok(thrown instanceof AggregateError);
        assert.deepEqual(thrown.errors, errors);
        assert.match(thrown.message, /3/);
        return true;
      },
    );
    assert.equal(calls, 1);
  });

  it("throws even an error that is `undefined`", () => {
    register(throws, undefined);
    let thrown = false;
    try {
      run();
    } catch {
      thrown = true;
    }
    assert.ok(thrown);
  });

  it("leaves the rest to a shutdown that begins meanwhile", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, exiting, register, run } from "atexit";
      import { setTimeout as sleep } from "node:timers/promises";
      register(() => console.log("below", exiting.aborted));
      register(async () => {
        await sleep(30);
        console.log("above", exiting.aborted);
      });
      void run();
      exit(4);`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "above true\nbelow true\n", stderr: "", code: 4 });
  });

  it("does not report at exit what it has thrown", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { register, run } from "atexit";
      register(() => { throw new Error("cannot release"); });
      try { run(); } catch (error) { console.log(error.message); }`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "cannot release\n", stderr: "", code: 0 });
  });
});
