// Several copies of the package in one process share one stack.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { copyPackage } from "../support/package-under-test.ts";
import { runProgram } from "../support/program.ts";
import { withDirectory } from "../support/run.ts";

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
