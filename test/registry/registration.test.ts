// What a handle promises: run() and cancel(), in this very process where that can
// be seen here, and in a process of its own where the promise is about its end.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { clear, count, type Registration, register, run, unregister } from "../../src/index.ts";
import { isSettled, pending } from "../support/pending.ts";
import { evaluate } from "../support/program.ts";

afterEach(() => clear());

describe("handle.run()", () => {
  it("calls the cleanup with the arguments of its registration, once, and returns what it returned", async () => {
    const calls: unknown[][] = [];
    const result = { released: true };
    const given = ["a", { b: 1 }] as const;
    const handle = register(
      (...args: unknown[]) => {
        calls.push(args);
        return result;
      },
      ...given,
    );
    assert.equal(handle.run(), result);
    assert.equal(handle.run(), undefined);
    await run();
    assert.deepEqual(calls, [["a", { b: 1 }]]);
    assert.equal(calls[0]?.[1], given[1], "the argument itself, not a copy");
  });

  it("returns a promise of what an asynchronous cleanup resolves to", async () => {
    assert.equal(await register(async () => 42).run(), 42);
  });

  it("leaves the cleanups above and below alone", () => {
    const calls: string[] = [];
    const log = (name: string) => void calls.push(name);
    register(log, "below");
    const handle = register(log, "it");
    register(log, "above");
    handle.run();
    assert.deepEqual(calls, ["it"]);
    assert.equal(count(), 2);
    run();
    assert.deepEqual(calls, ["it", "above", "below"]);
  });

  const error = new Error("cannot release");

  it("throws the very error of a synchronous cleanup, which is then gone", () => {
    const handle = register(() => {
      throw error;
    });
    assert.throws(
      () => handle.run(),
      (thrown) => thrown === error,
    );
    assert.equal(handle.run(), undefined);
    assert.equal(count(), 0);
  });

  it("rejects with the very error of an asynchronous cleanup, which is then gone", async () => {
    const handle = register(async () => {
      throw error;
    });
    await assert.rejects(handle.run() as Promise<never>, (thrown) => thrown === error);
    assert.equal(handle.run(), undefined);
    assert.equal(count(), 0);
  });

  it("gives, while the cleanup is running, the end of that run and not a second call", async () => {
    const { cleanup, resolve, calls } = pending<string>();
    const handle = register(cleanup);
    const first = handle.run();
    const second = handle.run();
    assert.ok(second instanceof Promise);
    assert.equal(await isSettled(second), false);
    resolve("done");
    assert.equal(await first, "done");
    await second;
    assert.equal(calls(), 1);
    assert.equal(handle.run(), undefined);
  });

  it("does not call again from inside a synchronous cleanup", () => {
    let calls = 0;
    const handle: Registration<void> = register(() => {
      calls += 1;
      handle.run();
    });
    handle.run();
    assert.equal(calls, 1);
  });

  it("awaits a thenable that is no promise", async () => {
    let settle: (value: number) => void = () => {};
    const handle = register(() => ({
      then: (resolve: (value: number) => void) => {
        settle = resolve;
      },
    }));
    const ended = handle.run();
    assert.equal(await isSettled(ended), false);
    settle(1);
    assert.equal(await ended, 1);
  });

  const deadlocks: Record<string, () => unknown> = {
    "its own handle": () => {
      const handle: Registration<Promise<void>> = register(async () => handle.run());
      return handle.run();
    },
    "its own handle, later": () => {
      const handle: Registration<Promise<void>> = register(async () => {
        await turn();
        await handle.run();
      });
      return handle.run();
    },
    "the disposal of its own handle": () => {
      const handle: Registration<Promise<void>> = register(async () => {
        await turn();
        await handle[Symbol.asyncDispose]();
      });
      return handle.run();
    },
    "its own handle in run()": () => {
      const handle: Registration<Promise<void>> = register(async () => {
        await turn();
        await handle.run();
      });
      return run();
    },
    "run() of all cleanups": () =>
      register(async () => {
        await turn();
        await run();
      }).run(),
  };
  for (const [what, begin] of Object.entries(deadlocks)) {
    it(`ends for a cleanup that awaits ${what}`, { timeout: 10_000 }, async () => {
      await begin();
      assert.equal(count(), 0);
    });
  }

  it("ends at shutdown for a cleanup that awaits its own handle, the cleanups below included", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { register } from "atexit";
      import { setImmediate as turn } from "node:timers/promises";
      register(() => console.log("below"));
      const handle = register(async () => {
        await handle.run();
        await turn();
        await handle.run();
        await handle[Symbol.asyncDispose]();
        console.log("itself");
      });`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "itself\nbelow\n", stderr: "", code: 0 });
  });

  for (const [what, body] of Object.entries({
    synchronous: "() => { throw error; }",
    asynchronous: "async () => { throw error; }",
  })) {
    it(`does not report the failure of a ${what} cleanup again at exit`, async () => {
      const { stdout, stderr, code } = await evaluate(`
        import { register } from "atexit";
        const error = new Error("cannot release");
        register(() => console.log("below"));
        const handle = register(${body});
        try { await handle.run(); } catch (caught) { console.log(caught === error); }`);
      assert.deepEqual({ stdout, stderr, code }, { stdout: "true\nbelow\n", stderr: "", code: 0 });
    });
  }

  it("does not hide the failure of an asynchronous cleanup from a caller who ignores its promise", async () => {
    const { stderr, code } = await evaluate(`
      import { register } from "atexit";
      register(async () => { throw new Error("cannot release"); }).run();`);
    assert.match(stderr, /Error: cannot release/);
    assert.equal(code, 1);
  });

  it("is waited for by a shutdown, which does not call the cleanup again", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, register } from "atexit";
      import { setTimeout as sleep } from "node:timers/promises";
      register(() => console.log("below"));
      const handle = register(async () => {
        console.log("begun");
        await sleep(30);
        console.log("ended");
      });
      void handle.run();
      exit(5);`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "begun\nended\nbelow\n", stderr: "", code: 5 });
  });
});

describe("handle.cancel()", () => {
  it("is true once, and the cleanup never happens", async () => {
    const { cleanup, calls } = pending();
    const handle = register(cleanup);
    assert.equal(handle.cancel(), true);
    assert.equal(handle.cancel(), false);
    assert.equal(handle.run(), undefined);
    await run();
    assert.equal(calls(), 0);
    assert.equal(count(), 0);
  });

  it("is false after the cleanup has run, and while it runs", async () => {
    const over = register(() => {});
    over.run();
    assert.equal(over.cancel(), false);
    const { cleanup, resolve } = pending<void>();
    const running = register(cleanup);
    const ended = running.run();
    assert.equal(running.cancel(), false);
    assert.equal(await isSettled(ended), false, "cancel() does not cut it short");
    resolve();
    await ended;
    assert.equal(running.cancel(), false);
  });

  it("is false after unregister() and clear()", () => {
    const cleanup = () => {};
    const first = register(cleanup);
    unregister(cleanup);
    const second = register(cleanup);
    clear();
    assert.deepEqual([first.cancel(), second.cancel()], [false, false]);
  });

  it("takes out only its own registration of a function", () => {
    const calls: number[] = [];
    const cleanup = (n: number) => void calls.push(n);
    const handles = [1, 2, 3].map((n) => register(cleanup, n));
    assert.equal(handles[1]?.cancel(), true);
    run();
    assert.deepEqual(calls, [3, 1]);
  });
});
