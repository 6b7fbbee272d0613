// Test runners that leave `process` as it is: vitest, mocha and node:test. What a
// test file registers runs when its process ends, as far as the runner lets it end.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ALL, begin, bin, runner } from "./runner.ts";

/** A test of exit(), with the runner's own way to stub a function. */
const vitestFile = (name: string): string => `
  ${begin(name)}
  import { expect, test, vi } from "VITEST";
  test("registers", registerSome);
  test("exit() calls the test's process.exit", () => {
    const spy = vi.spyOn(process, "exit").mockImplementation(() => undefined);
    exit(3);
    expect(spy).toHaveBeenCalledWith(3);
    spy.mockRestore();
  });
  test("fake timers and a fake date", async () => {
    vi.useFakeTimers({ now: 4_000_000_000_000 });
    register({ name: "stuck", timeout: 100 }, () => new Promise(() => {}));
  });`;

describe("vitest", () => {
  for (const [pool, isRun] of [
    [["--pool=forks"], true],
    [["--pool=forks", "--no-isolate"], true],
    [["--pool=vmForks"], true],
    // Their threads are terminated: nothing of theirs can run.
    [["--pool=threads"], false],
    [["--pool=vmThreads"], false],
  ] as const) {
    test(`${pool.join(" ")}: cleanups ${isRun ? "run" : "cannot run, and no test is harmed"}`, async () => {
      const source = (name: string) => vitestFile(name).replace("VITEST", bin("vitest/dist/index.js"));
      const args = [bin("vitest/vitest.mjs"), "run", ...pool, "--no-file-parallelism"];
      const ended = await runner(args, { "a.test.js": source("a"), "b.test.js": source("b") });
      assert.equal(ended.code, 0, ended.stderr + ended.stdout);
      assert.match(ended.stdout, /Tests\s+6 passed \(6\)/);
      for (const name of ["a", "b"]) {
        const left = ended.left.filter((line) => line.startsWith(name));
        assert.deepEqual(left, isRun ? ALL.map((number) => `${name} ${number}`) : [], ended.stderr);
      }
      const givenUp = ended.stderr.match(/"stuck" has not settled and was given up after 100 ms/g) ?? [];
      assert.equal(givenUp.length, isRun ? 2 : 0, ended.stderr);
    });
  }
});

describe("mocha", () => {
  for (const args of [[], ["--exit"], ["--parallel"]]) {
    test(`${args.join(" ") || "as it is"}: cleanups run`, async () => {
      const source = `
        ${begin("a")}
        describe("a", () => {
          it("registers", registerSome);
          it("exit() calls the test's process.exit", () => {
            const { exit: real } = process;
            const codes = [];
            process.exit = (code) => codes.push(code);
            exit(3);
            process.exit = real;
            if (codes.join() !== "3") throw new Error(codes.join());
          });
        });`;
      const ended = await runner([bin("mocha/bin/mocha.js"), ...args, "a.test.js"], { "a.test.js": source });
      assert.equal(ended.code, 0, ended.stderr + ended.stdout);
      assert.match(ended.stdout, /2 passing/);
      assert.deepEqual([ended.left, ended.stderr], [ALL.map((number) => `a ${number}`), ""]);
    });
  }
});

describe("node:test", () => {
  for (const args of [[], ["--test"], ["--test", "--test-force-exit"]]) {
    test(`${args.join(" ") || "a file"}: cleanups run`, async () => {
      const source = `
        ${begin("a")}
        import assert from "node:assert/strict";
        import { test } from "node:test";
        test("registers", registerSome);
        test("exit() calls the test's process.exit", ({ mock }) => {
          const spy = mock.method(process, "exit", () => {});
          exit(3);
          assert.deepEqual(spy.mock.calls[0].arguments, [3]);
        });
        test("fake timers and a fake date", ({ mock }) => {
          mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"], now: 4_000_000_000_000 });
        });`;
      const ended = await runner([...args, "a.test.js"], { "a.test.js": source });
      assert.equal(ended.code, 0, ended.stderr + ended.stdout);
      assert.match(ended.stdout, /pass 3$/m);
      assert.doesNotMatch(ended.stderr, /atexit:/);
      assert.deepEqual(
        ended.left,
        ALL.map((number) => `a ${number}`),
      );
    });
  }
});
