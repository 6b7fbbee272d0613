// What each function of the face promises: in this very process where that can
// be seen here, and in a process of its own where the promise is about its end.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  clear,
  configure,
  count,
  exit,
  finalize,
  type Registration,
  register,
  run,
  SystemExit,
  unregister,
} from "atexit";
import { type Ended, run as start, statusOf } from "./support/run.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** Runs a module's source in a process of its own. */
function evaluate(source: string, environment: Record<string, string> = {}, ...flags: string[]): Promise<Ended> {
  return start(process.execPath, [...flags, "--input-type=module", "-e", source], {
    cwd: repository,
    env: { ...process.env, ...environment },
  });
}

/** A cleanup whose promise settles when the test says so. */
function pending<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  let calls = 0;
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  const cleanup = () => {
    calls += 1;
    return promise;
  };
  return {
    cleanup,
    resolve: (value: T) => resolve(value),
    reject: (error: unknown) => reject(error),
    calls: () => calls,
  };
}

/** Whether a promise has settled, after everything that was ready to run has run. */
async function isSettled(promise: unknown): Promise<boolean> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  Promise.resolve(promise).then(settle, settle);
  await turn();
  return settled;
}

const wrong = (call: unknown) => call as never;

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

describe("unregister()", () => {
  it("removes every registration of the function, also with options, and keeps the others in order", () => {
    const calls: string[] = [];
    const kept = (name: string) => void calls.push(name);
    const removed = (_: number) => void calls.push("removed");
    register(removed, 1);
    register(kept, "a");
    register({ name: "named" }, removed, 2);
    register(kept, "b");
    register(removed, 3);
    assert.equal(unregister(removed), undefined);
    assert.equal(count(), 2);
    run();
    assert.deepEqual(calls, ["b", "a"]);
  });

  it("does not mind a function that was never registered, or is not any more", () => {
    const cleanup = () => {};
    unregister(cleanup);
    register(cleanup);
    unregister(cleanup);
    unregister(cleanup);
    assert.equal(count(), 0);
  });

  it("does not keep the function from being registered again", () => {
    let calls = 0;
    const cleanup = () => {
      calls += 1;
    };
    register(cleanup);
    unregister(cleanup);
    register(cleanup);
    run();
    assert.equal(calls, 1);
  });

  it("lets a run that has begun go on", async () => {
    const { cleanup, resolve } = pending<string>();
    const ended = register(cleanup).run();
    unregister(cleanup);
    resolve("done");
    assert.equal(await ended, "done");
  });

  it("agrees with a plain list, whatever is registered, unregistered, cancelled, run and cleared in between", () => {
    let state = 20260729;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    let called: string[] = [];
    const cleanups = [0, 1, 2, 3].map((which) => (n: number) => void called.push(`${which}:${n}`));
    let list: { which: number; n: number; handle: Registration<void> }[] = [];
    const pick = () => list[random(list.length)];
    for (let n = 0; n < 20_000; n += 1) {
      const which = random(cleanups.length);
      const cleanup = cleanups[which];
      assert.ok(cleanup);
      const action = random(100);
      if (action < 60) list.push({ which, n, handle: register(cleanup, n) });
      else if (action < 75) {
        const one = pick();
        assert.equal(one?.handle.cancel() ?? true, true);
        list = list.filter((other) => other !== one);
      } else if (action < 85) {
        const one = pick();
        called = [];
        one?.handle.run();
        assert.deepEqual(called, one === undefined ? [] : [`${one.which}:${one.n}`]);
        list = list.filter((other) => other !== one);
      } else if (action < 97) {
        unregister(cleanup);
        list = list.filter((other) => other.which !== which);
      } else {
        const expected = list.map((one) => `${one.which}:${one.n}`).reverse();
        called = [];
        if (action === 97) clear();
        else run();
        assert.deepEqual(called, action === 97 ? [] : expected);
        list = [];
      }
      assert.equal(count(), list.length);
    }
  });
});

describe("clear() and count()", () => {
  it("clear() cancels all that has not begun", async () => {
    const { cleanup, resolve, calls } = pending<void>();
    const ended = register(cleanup).run();
    for (let n = 0; n < 3; n += 1) register(cleanup);
    assert.equal(clear(), undefined);
    assert.equal(count(), 0);
    resolve();
    await ended;
    await run();
    assert.equal(calls(), 1);
  });

  it("count() counts what is registered and has not begun", async () => {
    const { cleanup, resolve } = pending<void>();
    assert.equal(count(), 0);
    const handle = register(cleanup);
    register(cleanup);
    assert.equal(count(), 2);
    const ended = handle.run();
    assert.equal(count(), 1);
    resolve();
    await ended;
    assert.equal(count(), 1);
  });
});

describe("finalize()", () => {
  /** `until(condition)` collects garbage until it holds; `collected()` tells whether the last `make()`'s object is gone. */
  const collecting = `
    import { exit, finalize, register } from "atexit";
    import { setImmediate as turn } from "node:timers/promises";
    let gone = 0;
    const graves = new FinalizationRegistry(() => { gone += 1; });
    const make = () => {
      const object = { weight: new Array(1_000).fill(0) };
      graves.register(object);
      return object;
    };
    const until = async (condition) => {
      while (!condition()) {
        globalThis.gc();
        await turn();
      }
    };
    `;
  const collect = (source: string) => evaluate(collecting + source, {}, "--expose-gc");

  it("runs the cleanup when the object is collected, and not again at exit", async () => {
    const { stdout, stderr, code } = await collect(`
      let calls = 0;
      const handle = (() => finalize(make(), (name) => { calls += 1; console.log(name); }, "collected"))();
      await until(() => calls > 0);
      console.log(handle.cancel());
      await turn();
      console.log("end");`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "collected\nfalse\nend\n", stderr: "", code: 0 });
  });

  it("a cleanup of a collected object that exits is no failed one", async () => {
    const { stdout, stderr, code } = await collect(`
      register(async () => { await turn(); console.log("awaited"); });
      let calls = 0;
      (() => finalize(make(), () => { calls += 1; process.exit(3); }))();
      await until(() => calls > 0);
      await new Promise(() => {});`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "awaited\n", stderr: "", code: 3 });
  });

  it("runs it at exit, in its place on the stack, where the object lives on", async () => {
    const { stdout, stderr, code } = await collect(`
      globalThis.object = make();
      register(() => console.log("below"));
      finalize(globalThis.object, (name) => console.log(name), "finalized");
      register(() => console.log("above"));
      globalThis.gc();
      await turn();
      console.log("end");`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "end\nabove\nfinalized\nbelow\n", stderr: "", code: 0 });
  });

  it("does not keep the object alive, also while the handle is kept", async () => {
    const { stdout, stderr } = await collect(`
      globalThis.handle = (() => finalize(make(), () => {}))();
      await until(() => gone === 1);
      console.log("gone");`);
    assert.deepEqual({ stdout, stderr }, { stdout: "gone\n", stderr: "" });
  });

  it("does not keep an object alive through the method that registered it", async () => {
    const { stdout, stderr } = await collect(`
      class Connection {
        weight = new Array(1_000).fill(0);
        open() { graves.register(this); finalize(this, () => {}); }
      }
      (() => new Connection().open())();
      await until(() => gone === 1);
      console.log("gone");`);
    assert.deepEqual({ stdout, stderr }, { stdout: "gone\n", stderr: "" });
  });

  it("does nothing at the object's end once it was cancelled, or run", async () => {
    const { stdout, stderr, code } = await collect(`
      (() => {
        console.log(finalize(make(), () => console.log("cancelled")).cancel());
        console.log(finalize(make(), () => "by hand").run());
      })();
      await until(() => gone === 2);
      for (let n = 0; n < 5; n += 1) await turn();
      console.log("end");`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "true\nby hand\nend\n", stderr: "", code: 0 });
  });

  for (const [what, body] of Object.entries({
    throws: '{ throw new Error("cannot close"); }',
    rejects: 'Promise.reject(new Error("cannot close"))',
  })) {
    it(`reports a cleanup that ${what} when the object is collected, and the program goes on`, async () => {
      const { stdout, stderr, signal } = await collect(`
        register(() => console.log("cleanup"));
        function close() { ${body.startsWith("{") ? body : `return ${body};`} }
        (() => finalize(make(), close))();
        await until(() => gone === 1);
        for (let n = 0; n < 5; n += 1) await turn();
        console.log("goes on");`);
      assert.deepEqual({ stdout, signal }, { stdout: "goes on\ncleanup\n", signal: null });
      assert.match(stderr, /^atexit: cleanup "close" failed: Error: cannot close\n/);
      assert.equal(stderr.match(/cannot close/g)?.length, 1, "said once");
    });
  }

  it("neither keeps the program running nor ends it", async () => {
    const { stdout, code } = await collect(`
      globalThis.object = make();
      finalize(globalThis.object, () => console.log("finalized"));
      setTimeout(() => console.log("timer"), 20);`);
    assert.deepEqual({ stdout, code }, { stdout: "timer\nfinalized\n", code: 0 });
  });

  it("takes a function for an object too, and gives the handle that register() gives", () => {
    const handle = finalize(
      function object() {},
      (n: number) => n + 1,
      1,
    );
    assert.equal(count(), 1);
    assert.equal(handle.run(), 2);
    assert.equal(handle.cancel(), false);
  });
});

describe("configure()", () => {
  afterEach(() => configure(defaults));
  const defaults = configure({});

  it("returns all settings: the defaults, where nothing was said", () => {
    const { signals, ...others } = defaults;
    assert.deepEqual(others, { grace: 10_000, timeout: undefined, processExit: "wait" });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)
      assert.ok(signals.includes(signal), signal);
    for (const signal of ["SIGKILL", "SIGSTOP", "SIGUSR1", "SIGPROF", "SIGSEGV", "SIGCHLD"] as const) {
      assert.ok(!signals.includes(signal), signal);
    }
  });

  it("changes what it is given, and leaves the rest", () => {
    assert.deepEqual(configure({ grace: 1 }), { ...defaults, grace: 1 });
    assert.deepEqual(configure({ timeout: 2 }), { ...defaults, grace: 1, timeout: 2 });
    assert.deepEqual(configure({ timeout: undefined }), { ...defaults, grace: 1 });
    assert.deepEqual(configure({ processExit: "sync", signals: ["SIGTERM", "SIGTERM"] }), {
      grace: 1,
      timeout: undefined,
      processExit: "sync",
      signals: ["SIGTERM"],
    });
  });

  it("gives away a copy, and keeps a copy", () => {
    configure({}).grace = 7;
    const signals: NodeJS.Signals[] = ["SIGTERM"];
    configure({ signals });
    signals.push("SIGINT");
    assert.deepEqual(configure({}), { ...defaults, signals: ["SIGTERM"] });
  });

  it("changes nothing where a part of what it is given is wrong", () => {
    assert.throws(() => configure({ grace: 1, signals: ["SIGKILL"] }));
    assert.deepEqual(configure({}), defaults);
  });

  const environment: [variables: Record<string, string>, settings: Record<string, unknown>][] = [
    [{ ATEXIT_GRACE: "10s" }, { grace: 10_000 }],
    [{ ATEXIT_GRACE: "500ms" }, { grace: 500 }],
    [{ ATEXIT_GRACE: "1500" }, { grace: 1_500 }],
    [{ ATEXIT_GRACE: "1.5m" }, { grace: 90_000 }],
    [{ ATEXIT_GRACE: "0" }, { grace: 0 }],
    [{ ATEXIT_TIMEOUT: "2s" }, { timeout: 2_000 }],
    [{ ATEXIT_SIGNALS: "SIGTERM,SIGINT" }, { signals: ["SIGTERM", "SIGINT"] }],
    [{ ATEXIT_SIGNALS: "SIGTERM, SIGHUP" }, { signals: ["SIGTERM", "SIGHUP"] }],
    [{ ATEXIT_PROCESS_EXIT: "sync" }, { processExit: "sync" }],
    [
      { ATEXIT_GRACE: "3s", ATEXIT_TIMEOUT: "250", ATEXIT_SIGNALS: "SIGTERM" },
      { grace: 3_000, timeout: 250, signals: ["SIGTERM"] },
    ],
  ];
  /** What the program says, whatever the operator says. */
  const program = { grace: 11, timeout: 12, signals: ["SIGQUIT"], processExit: "wait" };
  const said = `
    import { clear, configure, register } from "atexit";
    register(() => {});
    clear();
    configure(${JSON.stringify(program)});
    register(() => {});
    console.log(JSON.stringify(configure({ grace: 11 })));`;

  for (const [variables, settings] of environment) {
    it(`stands below the operator's ${text(variables)}`, async () => {
      const { stdout, stderr, code } = await evaluate(said, variables);
      assert.deepEqual(JSON.parse(stdout), { ...program, ...settings });
      assert.deepEqual({ stderr, code }, { stderr: "", code: 0 });
    });
  }

  const senseless: Record<string, string>[] = [
    { ATEXIT_GRACE: "soon" },
    { ATEXIT_GRACE: "-1" },
    { ATEXIT_GRACE: "10 parsecs" },
    { ATEXIT_GRACE: "2147483648" },
    { ATEXIT_TIMEOUT: "1e3" },
    { ATEXIT_SIGNALS: "SIGNOPE" },
    { ATEXIT_SIGNALS: "SIGTERM,SIGKILL" },
    { ATEXIT_PROCESS_EXIT: "maybe" },
  ];
  for (const variables of senseless) {
    it(`ignores a senseless ${text(variables)}, and says so once`, async () => {
      const { stdout, stderr, code } = await evaluate(said, variables);
      assert.deepEqual(JSON.parse(stdout), program);
      assert.match(stderr, new RegExp(`^atexit: ${text(variables)} is ignored\\. .*\\n$`));
      assert.equal(code, 0);
    });
  }

  it("takes an empty variable for none", async () => {
    const { stdout, stderr } = await evaluate(said, { ATEXIT_GRACE: "", ATEXIT_SIGNALS: "" });
    assert.deepEqual(JSON.parse(stdout), program);
    assert.equal(stderr, "");
  });

  it("lets the operator decide also where the program never calls it", async () => {
    const { stderr, code } = await evaluate(
      `import { register } from "atexit";
       register({ name: "slow" }, () => new Promise((resolve) => setTimeout(resolve, 50_000)));
       process.exit();`,
      { ATEXIT_GRACE: "50ms" },
    );
    assert.match(stderr, /^atexit: cleanup "slow" has not settled and was given up after \d\d ms/);
    assert.equal(code, 1);
  });
});

describe("exiting", () => {
  const watching = `
    import { exit, exiting, register } from "atexit";
    console.log(exiting.aborted);
    exiting.addEventListener("abort", () => {
      const { kind, code, signal, error } = exiting.reason;
      console.log(kind, code, signal, error instanceof Error ? error.message : error);
    });
    `;
  const cleanup = 'register(async () => console.log("cleanup", exiting.aborted));\n';
  const rows: [how: string, source: string, reason: string, status: string][] = [
    ["a natural end", "", "end 0 undefined undefined", "0"],
    ["a natural end with an exit code", "process.exitCode = 7;", "end 7 undefined undefined", "7"],
    ["exit(3)", "exit(3);", "exit 3 undefined undefined", "3"],
    ["exit() with an exit code", "process.exitCode = 6; exit();", "exit 6 undefined undefined", "6"],
    ["process.exit(4)", "process.exit(4);", "exit 4 undefined undefined", "4"],
    ["a throw", 'setTimeout(() => { throw new Error("boom"); });', "uncaughtException 1 undefined boom", "1"],
    ["a rejection", 'void Promise.reject(new Error("boom"));', "unhandledRejection 1 undefined boom", "1"],
    [
      "SIGTERM",
      'setTimeout(() => {}, 50_000); process.kill(process.pid, "SIGTERM");',
      "signal 143 SIGTERM undefined",
      "SIGTERM",
    ],
    [
      "a SIGTERM that is the program's own last act",
      'process.kill(process.pid, "SIGTERM");',
      "signal 143 SIGTERM undefined",
      "SIGTERM",
    ],
    [
      "SIGINT",
      'setTimeout(() => {}, 50_000); process.kill(process.pid, "SIGINT");',
      "signal 130 SIGINT undefined",
      "SIGINT",
    ],
  ];
  for (const [how, source, reason, status] of rows) {
    it(`fires once, before the first cleanup, at ${how}`, async () => {
      const ended = await evaluate(watching + cleanup + source);
      assert.equal(ended.stdout, `false\n${reason}\ncleanup true\n`);
      assert.equal(statusOf(ended), status);
    });
  }

  it("fires at exit() also with nothing registered", async () => {
    const { stdout, code } = await evaluate(`${watching}exit(2);`);
    assert.deepEqual({ stdout, code }, { stdout: "false\nexit 2 undefined undefined\n", code: 2 });
  });

  it("watches nothing for its own sake", async () => {
    const { stdout, code } = await evaluate(watching);
    assert.deepEqual({ stdout, code }, { stdout: "false\n", code: 0 });
  });

  const works: Record<string, string> = {
    "a timer": `
      import { setTimeout as sleep } from "node:timers/promises";
      const work = sleep(50_000, undefined, { signal: exiting });`,
    "a request": `
      import { createServer } from "node:http";
      const server = createServer(() => {}).listen(0);
      await new Promise((resolve) => server.once("listening", resolve));
      const work = fetch("http://localhost:" + server.address().port, { signal: exiting });`,
  };
  for (const [what, source] of Object.entries(works)) {
    it(`ends ${what} that waits for it, without a word on stderr`, async () => {
      const ended = await evaluate(`
        import { exiting, register } from "atexit";
        ${source}
        register(async () => {
          await work.catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 20)); // time for a report of it
          console.log("cleanup");
        });
        setTimeout(() => process.kill(process.pid, "SIGTERM"), 10);
        await work;`);
      assert.deepEqual(
        { stdout: ended.stdout, stderr: ended.stderr, status: statusOf(ended) },
        { stdout: "cleanup\n", stderr: "", status: "SIGTERM" },
      );
    });
  }
});

describe("exit()", () => {
  const rows: [call: string, status: number][] = [
    ["exit()", 0],
    ["exit(undefined)", 0],
    ["process.exitCode = 9; exit()", 9],
    ["exit(0)", 0],
    ["process.exitCode = 9; exit(0)", 0],
    ["exit(1)", 1],
    ["exit(255)", 255],
  ];
  for (const [call, status] of rows) {
    for (const [what, cleanup] of Object.entries({
      "no cleanup": "",
      "a synchronous cleanup": 'register(() => console.log("cleanup"));',
      "an asynchronous cleanup": 'register(async () => { await null; console.log("cleanup"); });',
    })) {
      it(`ends with ${status} for ${call}, with ${what}`, async () => {
        const { stdout, stderr, code } = await evaluate(`
          import { exit, register } from "atexit";
          ${cleanup}
          ${call};
          console.log("not reached");`);
        assert.deepEqual(
          { stdout, stderr, code },
          { stdout: cleanup === "" ? "" : "cleanup\n", stderr: "", code: status },
        );
      });
    }
  }

  it("never returns to its caller while cleanups are synchronous: not even `finally` is reached", async () => {
    const { stdout, code } = await evaluate(`
      import { exit, register } from "atexit";
      register(() => console.log("cleanup"));
      try { exit(3); } catch { console.log("caught"); } finally { console.log("finally"); }`);
    assert.deepEqual({ stdout, code }, { stdout: "cleanup\n", code: 3 });
  });

  it("unwinds its caller with a SystemExit, which holds the code, while there is something to wait for", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, register, SystemExit } from "atexit";
      register(async () => { await null; console.log("cleanup"); });
      try { exit(3); } catch (error) { console.log(error instanceof SystemExit, error instanceof Error, error.name, error.code); }
      console.log("swallowed");
      try { exit(4); } catch (error) { console.log(error.code); }`);
    assert.deepEqual(
      { stdout, stderr, code },
      { stdout: "true true SystemExit 3\nswallowed\n4\ncleanup\n", stderr: "", code: 3 },
    );
  });

  it("changes the code from inside a cleanup, and ends that cleanup", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, register } from "atexit";
      register(() => console.log("below"));
      register(async () => {
        await null;
        exit(8);
        console.log("not reached");
      });
      exit(3);`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "below\n", stderr: "", code: 8 });
  });

  it("makes a SystemExit that says what it is", () => {
    const error = new SystemExit(3);
    assert.equal(error.code, 3);
    assert.match(error.message, /exiting with code 3.*let it pass/);
  });
});

describe("a wrong call", () => {
  const nothing = () => {};
  const object = {};
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();

  type Row = [
    call: string,
    make: () => unknown,
    Class: typeof TypeError | typeof RangeError,
    code: string,
    message: RegExp,
  ];
  const rows: Row[] = [
    ...(
      [
        ['register("x")', () => register(wrong("x")), "'x'"],
        ["register()", () => register(wrong(undefined)), "undefined"],
        ["register(null)", () => register(wrong(null)), "null"],
        ["register({})", () => register(wrong({}), wrong(undefined)), "undefined"],
        ["register({}, 1)", () => register({}, wrong(1)), "1"],
        ["register(close()), whose promise is no function", () => register(wrong(Promise.resolve())), "undefined"],
        ['register({}, "x", f)', () => register({}, wrong("x"), wrong(nothing)), "'x'"],
        ['unregister("x")', () => unregister(wrong("x")), "'x'"],
        ["unregister(a handle)", () => unregister(wrong(register(nothing))), "\\[?Registration.*"],
        ["unregister(a revoked proxy)", () => unregister(wrong(revoked.proxy)), "<.*>"],
        ["finalize({}, 1)", () => finalize({}, wrong(1)), "1"],
      ] as const
    ).map(([call, make, given]): Row => {
      const message = `must be a function, and ${given} was given\\. Pass the function itself and its arguments`;
      return [call, make, TypeError, "ERR_ATEXIT_NOT_A_FUNCTION", new RegExp(message)];
    }),
    ...[-1, -0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "1", 1n, null].flatMap((time): Row[] => {
      const message = /must be a number of milliseconds from 0 to 2147483647, and .* was given/;
      const shown = typeof time === "bigint" ? "1n" : typeof time === "string" ? `"${time}"` : String(time);
      return [
        [
          `register({ timeout: ${shown} }, f)`,
          () => register({ timeout: wrong(time) }, nothing),
          RangeError,
          "ERR_ATEXIT_TIME",
          message,
        ],
        [
          `configure({ timeout: ${shown} })`,
          () => configure({ timeout: wrong(time) }),
          RangeError,
          "ERR_ATEXIT_TIME",
          message,
        ],
        [
          `configure({ grace: ${shown} })`,
          () => configure({ grace: wrong(time) }),
          RangeError,
          "ERR_ATEXIT_TIME",
          message,
        ],
      ];
    }),
    [
      "register({ name: 1 }, f)",
      () => register({ name: wrong(1) }, nothing),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /name must be a string/,
    ],
    ...[256, 1.5, -1, "1", Number.NaN, Number.POSITIVE_INFINITY, null, true, 3n].map((code): Row => [
      `exit(${typeof code === "string" ? `"${code}"` : String(code)})`,
      () => exit(wrong(code)),
      RangeError,
      "ERR_ATEXIT_EXIT_CODE",
      /must be an integer from 0 to 255, and .* was given/,
    ]),
    ...["SIGNOPE", "SIGKILL", "SIGSTOP", "sigterm", "TERM", 15, undefined, "toString"].map((signal): Row => [
      `configure({ signals: [${String(signal)}] })`,
      () => configure({ signals: [wrong(signal)] }),
      RangeError,
      "ERR_ATEXIT_SIGNAL",
      /no signal that can be listened to.*Pass names such as "SIGTERM"/,
    ]),
    [
      'configure({ signals: "SIGTERM" })',
      () => configure({ signals: wrong("SIGTERM") }),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /signals must be an array such as/,
    ],
    ["configure(5_000)", () => configure(wrong(5_000)), TypeError, "ERR_ATEXIT_OPTIONS", /an object such as/],
    ["configure(null)", () => configure(wrong(null)), TypeError, "ERR_ATEXIT_OPTIONS", /an object such as/],
    ["configure()", () => configure(wrong(undefined)), TypeError, "ERR_ATEXIT_OPTIONS", /an object such as/],
    [
      "configure({ gracePeriod: 1 })",
      () => configure(wrong({ gracePeriod: 1 })),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /one of grace, timeout, signals, processExit, and 'gracePeriod' was given/,
    ],
    [
      'configure({ processExit: "never" })',
      () => configure({ processExit: wrong("never") }),
      RangeError,
      "ERR_ATEXIT_PROCESS_EXIT",
      /must be "wait" or "sync", and 'never' was given/,
    ],
    ...["x", 1, null, undefined, Symbol("x")].map((thing): Row => [
      `finalize(${String(thing)}, f)`,
      () => finalize(wrong(thing), nothing),
      TypeError,
      "ERR_ATEXIT_NOT_AN_OBJECT",
      /Only an object can be garbage-collected, and .* was given\. Use register\(\)/,
    ]),
    [
      "finalize(o, f, o)",
      () => finalize(object, (_: object) => {}, object),
      TypeError,
      "ERR_ATEXIT_KEEPS_ALIVE",
      /Pass what the cleanup needs of it/,
    ],
    ["finalize(f, f)", () => finalize(nothing, nothing), TypeError, "ERR_ATEXIT_KEEPS_ALIVE", /keep it alive/],
  ];

  for (const [call, make, Class, code, message] of rows) {
    it(`${call} throws a ${Class.name} with ${code}, which says what to pass`, () => {
      const settings = configure({});
      assert.throws(make, (error) => {
        assert.ok(error instanceof Class);
        assert.equal((error as { code?: unknown }).code, code);
        assert.match(error.message, message);
        return true;
      });
      clear(); // what a row itself has registered
      assert.deepEqual(configure({}), settings, "nothing was set");
    });
  }

  it("registers nothing, and watches nothing", () => {
    const { exit, emit } = process;
    assert.throws(() => register(wrong("x")));
    assert.throws(() => register({ timeout: -1 }, nothing));
    assert.throws(() => finalize(object, wrong(1)));
    assert.equal(count(), 0);
    assert.deepEqual([process.exit === exit, process.emit === emit], [true, true]);
  });

  it("is not one at the borders of what is allowed", () => {
    for (const timeout of [0, 0.5, 2 ** 31 - 1]) {
      assert.doesNotThrow(() => register({ timeout }, nothing));
      assert.doesNotThrow(() => configure({ timeout }));
    }
    configure({ timeout: undefined });
    assert.doesNotThrow(() => register({}, nothing));
    assert.equal(count(), 4);
  });
});

/** `ATEXIT_GRACE=10s`, as it is set in a shell. */
function text(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map((pair) => pair.join("="))
    .join(" ");
}
