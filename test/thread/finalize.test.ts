// finalize(): a cleanup at the end of an object, or of the process.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { clear, count, finalize } from "../../src/index.ts";
import { evaluate } from "../support/program.ts";

afterEach(() => clear());

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

  it("reports a failed cleanup of a collected object where the program wants it", async () => {
    const { stdout, stderr, code } = await collect(`
      import { configure } from "atexit";
      const reports = [];
      configure({ report: (report) => reports.push(report) });
      (() => finalize(make(), () => { throw new Error("boom"); }))();
      await until(() => reports.length > 0);
      console.log(reports[0].kind, reports[0].error.message);`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "failed boom\n", stderr: "", code: 0 });
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
