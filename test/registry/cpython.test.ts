// What CPython's own tests of its atexit module promise, promised here too.
// Above each test stands the one that it mirrors, in Lib/test/_test_atexit.py
// (GeneralTest) or Lib/test/test_atexit.py (FunctionalTest, SubinterpreterTest).

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { clear, count, register, run, unregister } from "../../src/index.ts";
import { copyPackage, withUrls } from "../support/package-under-test.ts";
import { runProgram } from "../support/program.ts";
import { withDirectory } from "../support/run.ts";

afterEach(() => clear());

/** What a program prints and how it ends. */
async function outcome(source: string) {
  const { stdout, stderr, code } = await runProgram(source);
  return { stdout, stderr, code };
}

describe("cleanups", () => {
  // GeneralTest.test_order
  it("are called in reverse order, each with the arguments of its registration", () => {
    const calls: unknown[] = [];
    const first = (...args: unknown[]) => void calls.push(["first", args]);
    const second = (...args: unknown[]) => void calls.push(["second", args]);
    register(first, 1, 2);
    register(second);
    register(second, 3, { key: "value" });
    run();
    assert.deepEqual(calls, [
      ["second", [3, { key: "value" }]],
      ["second", []],
      ["first", [1, 2]],
    ]);
  });

  // FunctionalTest.test_shutdown
  it("are called at the end of the process, without a word on stderr", async () => {
    const ended = await outcome(`
      import { register } from "atexit";
      const print = (message) => console.log(message);
      register(print, "one");
      register(print, "two");`);
    assert.deepEqual(ended, { stdout: "two\none\n", stderr: "", code: 0 });
  });

  // GeneralTest.test_stress
  for (const times of [128, 100_000]) {
    it(`are called ${times} times where the function was registered ${times} times`, () => {
      let calls = 0;
      const increment = () => {
        calls += 1;
      };
      for (let n = 0; n < times; n += 1) register(increment);
      assert.equal(count(), times);
      run();
      assert.equal(calls, times);
      assert.equal(count(), 0);
    });
  }

  // GeneralTest.test_badargs: register() itself, as CPython checks it
  for (const [call, make] of Object.entries({
    "register()": () => register(...([] as unknown as [() => void])),
    "register(8)": () => register(8 as never),
    "register({}, 8)": () => register({}, 8 as never),
    "unregister(8)": () => unregister(8 as never),
  })) {
    it(`are functions: ${call} throws a TypeError`, () => {
      assert.throws(make, TypeError);
      assert.equal(count(), 0);
    });
  }

  // FunctionalTest.test_thread_created_in_atexit
  for (const [what, start] of Object.entries({
    "a thread": 'new Worker("console.log(24); setTimeout(() => console.log(42), 50);", { eval: true })',
    "a timer": "console.log(24), setTimeout(() => console.log(42), 50)",
  })) {
    it(`may start ${what}, which comes to its end`, async () => {
      const ended = await outcome(`
        import { register } from "atexit";
        import { Worker } from "node:worker_threads";
        register(() => { ${start}; });`);
      assert.deepEqual(ended, { stdout: "24\n42\n", stderr: "", code: 0 });
    });
  }

  // No test: Python's documentation calls the effect undefined. Here it is defined.
  it("may register another one, which is called too", async () => {
    const ended = await outcome(`
      import { register } from "atexit";
      register(() => console.log("below"));
      register(() => {
        console.log("registers");
        register(() => {
          console.log("registered");
          register(() => console.log("registered there"));
        });
      });`);
    assert.deepEqual(ended, { stdout: "registers\nregistered\nregistered there\nbelow\n", stderr: "", code: 0 });
  });
});

describe("a cleanup that fails", () => {
  const rows: [mirrors: string, failing: string, report: RegExp][] = [
    ["GeneralTest.test_badargs", "({ path }) => path.length", /^atexit: cleanup "failing" failed: TypeError: Cannot/],
    ["GeneralTest.test_raise", "() => { throw new TypeError(); }", /^atexit: cleanup "failing" failed: TypeError\n/],
    ["GeneralTest.test_raise_unnormalized", "() => 1n / 0n", /^atexit: cleanup "failing" failed: RangeError: Division/],
    ["GeneralTest.test_raise, no error", "() => { throw 8; }", /^atexit: cleanup "failing" failed: 8\n/],
    [
      "GeneralTest.test_raise, later",
      "async () => { throw new TypeError(); }",
      /^atexit: .*"failing" failed: TypeError\n/,
    ],
  ];
  for (const [mirrors, failing, report] of rows) {
    it(`is reported, and the others run: ${failing} (${mirrors})`, async () => {
      const { stdout, stderr, code } = await outcome(`
        import { register } from "atexit";
        const failing = ${failing};
        register(() => console.log("below"));
        register(failing);
        register(() => console.log("above"));`);
      assert.equal(stdout, "above\nbelow\n");
      assert.match(stderr, report);
      assert.match(stderr, /\n +registered at file:.*program\.mjs:5:9\n$/);
      assert.equal(stderr.match(/atexit:/g)?.length, 1);
      assert.equal(code, 1); // CPython leaves a 0
    });
  }

  // GeneralTest.test_atexit_with_unregistered_function
  it("may have unregistered itself before", () => {
    function failing() {
      unregister(failing);
      throw new RangeError("after unregistering");
    }
    register(failing);
    assert.throws(run, /after unregistering/);
    assert.equal(count(), 0);
    unregister(failing);
  });

  // GeneralTest.test_atexit_with_unregistered_function, at the end of a process
  it("may have unregistered itself before, at the end of a process too", async () => {
    const { stdout, stderr, code } = await outcome(`
      import { register, unregister } from "atexit";
      function failing(n) {
        console.log(n);
        unregister(failing);
        throw new Error("after unregistering");
      }
      register(() => console.log("below"));
      register(failing, 1);
      register(failing, 2);`);
    assert.equal(stdout, "2\nbelow\n");
    assert.match(stderr, /^atexit: cleanup "failing" failed: Error: after unregistering\n/);
    assert.equal(code, 1);
  });
});

// GeneralTest.test_exit
describe("a cleanup that exits", () => {
  for (const exiting of ["exit(3)", "process.exit(3)"]) {
    for (const [when, waiting] of Object.entries({ "at once": "", "after a promise": "await null; " })) {
      it(`by ${exiting} ${when} ends itself, changes the code, and the others run`, async () => {
        const ended = await outcome(`
          import { exit, register } from "atexit";
          register(() => console.log("below"));
          register(${waiting === "" ? "" : "async "}() => {
            ${waiting}${exiting};
            console.log("not reached");
          });
          register(() => console.log("above"));`);
        assert.deepEqual(ended, { stdout: "above\nbelow\n", stderr: "", code: 3 });
      });
    }
  }
});

describe("clear(), unregister() and count()", () => {
  // GeneralTest.test_clear
  it("clear() leaves nothing to be called", async () => {
    const ended = await outcome(`
      import { clear, count, register } from "atexit";
      register(() => console.log("cleared"));
      register(() => console.log("cleared"));
      clear();
      console.log(count());`);
    assert.deepEqual(ended, { stdout: "0\n", stderr: "", code: 0 });
  });

  // GeneralTest.test_unregister
  it("unregister() removes every registration of a function, and no other", () => {
    let value = 0;
    const increment = () => {
      value += 1;
    };
    const decrement = () => {
      value -= 1;
    };
    for (let n = 0; n < 4; n += 1) register(increment);
    register(decrement);
    unregister(increment);
    assert.equal(count(), 1);
    run();
    assert.equal(value, -1);
  });

  // GeneralTest.test_unregister; Doc/library/atexit.rst: unregister() silently does nothing for such a function
  it("unregister() of an unknown function is no error", () => {
    register(() => {});
    unregister(() => {});
    assert.equal(count(), 1);
  });

  // GeneralTest.test_bound_methods. In Python each `list.append` equals the other; in JavaScript each bind() is a new function.
  it("unregister() finds a bound method by the very function that bind() returned", () => {
    const list: number[] = [];
    const push = list.push.bind(list);
    register(push, 5);
    run();
    assert.deepEqual(list, [5]);
    register(push, 6);
    unregister(list.push.bind(list));
    assert.equal(count(), 1, "another bind() is another function");
    unregister(push);
    run();
    assert.deepEqual(list, [5]);
  });

  // GeneralTest.test_eq_unregister and test_eq_unregister_clear, where __eq__ clears the callbacks it is compared in
  it("unregister() compares by identity, and runs no code of the functions that it compares", () => {
    const spied = () =>
      new Proxy(() => {}, {
        get: () => assert.fail("read a property"),
        getOwnPropertyDescriptor: () => assert.fail("looked at a property"),
        getPrototypeOf: () => assert.fail("looked at the prototype"),
        has: () => assert.fail("looked for a property"),
      });
    const [first, second] = [spied(), spied()];
    register(first);
    register(second);
    register(first);
    unregister(first);
    assert.equal(count(), 1);
    run();
  });

  // GeneralTest.test_eq_unregister_clear: the stack is changed from inside the run of it
  const changes: [how: string, change: () => void, left: string[]][] = [
    ["clear()", clear, []],
    ["unregister() of the ones below", () => unregister(log), ["other"]],
    ["run()", run, ["b", "other", "a"]],
  ];
  let calls: string[] = [];
  function log(name: string) {
    calls.push(name);
  }
  for (const [how, change, left] of changes) {
    it(`a cleanup may call ${how}`, () => {
      calls = [];
      register(log, "a");
      register((name: string) => void calls.push(name), "other");
      register(log, "b");
      register(change);
      run();
      assert.deepEqual(calls, left);
      assert.equal(count(), 0);
    });
  }

  // SubinterpreterTest uses _ncallbacks() as this
  it("count() tells how many there are", () => {
    assert.equal(count(), 0);
    const cleanup = () => {};
    register(cleanup);
    register(cleanup);
    assert.equal(count(), 2);
  });
});

// FunctionalTest.test_atexit_instances
it("two instances of the package in one process have one order", () =>
  withDirectory(async (directory) => {
    const second = copyPackage(join(directory, "second"))("atexit");
    const ended = await outcome(`
    import { register as register1 } from "atexit";
    const { register: register2 } = await import(${JSON.stringify(second)});
    console.log(register1 === register2);
    register1(console.log, "first");
    register2(console.log, "second");
    register1(console.log, "third");`);
    assert.deepEqual(ended, { stdout: "false\nthird\nsecond\nfirst\n", stderr: "", code: 0 });
  }));

describe("each worker thread", () => {
  /** Runs a module in a worker of this process, to its end. */
  async function work(source: string): Promise<unknown[]> {
    const url = `data:text/javascript,${encodeURIComponent(withUrls(source))}`;
    const worker = new Worker(new URL(url));
    const messages: unknown[] = [];
    worker.on("message", (message) => messages.push(message));
    const [code] = await once(worker, "exit");
    assert.equal(code, 0);
    return messages;
  }

  // SubinterpreterTest.test_callbacks_leak and test_callbacks_leak_refcycle
  it("has a stack of its own: its cleanups do not count here", async () => {
    register(() => {});
    const messages = await work(`
      import { count, register } from "atexit";
      import { parentPort } from "node:worker_threads";
      const before = count();
      register(() => {});
      register(() => {});
      parentPort.postMessage([before, count()]);`);
    assert.deepEqual(messages, [[0, 2]]);
    assert.equal(count(), 1);
  });

  // SubinterpreterTest.test_callback_on_subinterpreter_teardown
  it("has its cleanups called at its own end, while this thread's wait", async () => {
    let calls = 0;
    const handle = register(() => {
      calls += 1;
    });
    const messages = await work(`
      import { register } from "atexit";
      import { parentPort } from "node:worker_threads";
      register((message) => parentPort.postMessage(message), "first");
      register(async (message) => { await null; parentPort.postMessage(message); }, "second");
      parentPort.postMessage("end");`);
    assert.deepEqual(messages, ["end", "second", "first"]);
    assert.equal(calls, 0);
    assert.equal(handle.cancel(), true);
  });

  // SubinterpreterTest.test_thread_created_in_atexit_subinterpreter
  it("lets its cleanups start what comes to its end", async () => {
    const messages = await work(`
      import { register } from "atexit";
      import { parentPort } from "node:worker_threads";
      register(() => {
        parentPort.postMessage("begun");
        setTimeout(() => parentPort.postMessage("ended"), 50);
      });`);
    assert.deepEqual(messages, ["begun", "ended"]);
  });

  // FunctionalTest.test_atexit_thread_safety
  it("may register, clear, unregister and run while others do the same", { timeout: 60_000 }, async () => {
    const thready = `
      import { clear, count, register, run, unregister } from "atexit";
      import { parentPort } from "node:worker_threads";
      let calls = 0;
      const cleanup = () => { calls += 1; };
      for (let n = 0; n < 100; n += 1) {
        register(cleanup);
        clear();
        register(cleanup);
        unregister(cleanup);
        register(cleanup);
        run();
      }
      register(() => parentPort.postMessage(calls));`;
    const results = await Promise.all(Array.from({ length: 10 }, () => work(thready)));
    assert.deepEqual(
      results,
      results.map(() => [100]),
    );
    assert.equal(count(), 0);
  });
});
