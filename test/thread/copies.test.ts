// Several copies of the package in one process share one stack.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { copyPackage, isFromSources } from "../support/package-under-test.ts";
import { runProgram } from "../support/program.ts";
import { withDirectory } from "../support/run.ts";

const BUILT = "CommonJS takes a build: npm test";

test("three copies share one stack, one shutdown and one signal", () =>
  withDirectory(async (directory) => {
    const copies = ["a", "b", "c"].map((name) => copyPackage(join(directory, name))("atexit"));
    const ended = await runProgram(
      `
        import assert from "node:assert/strict";
        const [a, b, c] = await Promise.all(${JSON.stringify(copies)}.map((path) => import(path)));
        assert.notEqual(a.register, b.register);
        const shared = () => console.log("never");
        a.register(() => console.log("1"));
        b.register(async () => console.log("2"));
        c.register(() => console.log("3"));
        b.register(shared);
        a.unregister(shared);
        assert.deepEqual([a.count(), b.count(), c.count()], [3, 3, 3]);
        assert.equal(process.listenerCount("SIGTERM"), 1);
        b.configure({ grace: 5_000 });
        assert.equal(c.configure({}).grace, 5_000);
        a.exiting.addEventListener("abort", () => console.log("a sees", a.exiting.reason.code));
        c.exiting.addEventListener("abort", () => console.log("c sees", c.exiting.reason.code));
        b.exit(4);`,
    );
    assert.deepEqual([ended.stdout, ended.stderr, ended.code], ["a sees 4\nc sees 4\n3\n2\n1\n", "", 4]);
  }));

test(
  "an ES module and CommonJS share one stack, and know each other's errors",
  { skip: isFromSources && BUILT },
  async () => {
    const ended = await runProgram(`
    import assert from "node:assert/strict";
    import { createRequire } from "node:module";
    import * as a from "atexit";
    const b = createRequire(import.meta.url)("atexit");
    assert.notEqual(a.register, b.register);
    a.register(() => console.log("1"));
    b.register(async () => console.log("2"));
    a.register(() => console.log("3"));
    assert.deepEqual([a.count(), b.count()], [3, 3]);
    assert.equal(process.listenerCount("SIGTERM"), 1);
    b.configure({ grace: 5_000 });
    assert.equal(a.configure({}).grace, 5_000);
    assert.equal(a.exiting, b.exiting);
    for (const exit of [a.exit, b.exit]) {
      try {
        exit(4);
      } catch (error) {
        assert.ok(error instanceof a.SystemExit && error instanceof b.SystemExit);
        console.log("unwound", error.code);
      }
    }`);
    assert.deepEqual([ended.stdout, ended.stderr, ended.code], ["3\n2\nunwound 4\nunwound 4\n1\n", "", 4]);
  },
);

test("a class that extends SystemExit, and what is none, are told from it", async () => {
  const { SystemExit } = await import("../../src/index.ts");
  class Leaving extends SystemExit {}
  assert.ok(new Leaving(1) instanceof SystemExit);
  assert.ok(new Leaving(1) instanceof Leaving);
  assert.ok(!(new SystemExit(1) instanceof Leaving));
  const others: readonly unknown[] = [new Error(), {}, null, undefined, "SystemExit", SystemExit];
  for (const other of others) {
    assert.ok(!(other instanceof SystemExit));
  }
});
