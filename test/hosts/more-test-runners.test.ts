// ava, tap, Playwright, and the test runners of Bun and Deno.

import assert from "node:assert/strict";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { printed, until } from "../support/run.ts";
import { bun, deno } from "./hosts.ts";
import { begin, bin, linesFrom, modules, runner, STUBBED_EXIT } from "./runner.ts";

/** The lines of one of the files, in their order: which file ends first is the runner's. */
const of = (name: string, lines: readonly string[]): string[] => lines.filter((line) => line.startsWith(`${name} `));

for (const name of ["tap", "@playwright"]) symlinkSync(bin(name), join(modules, name));

describe("ava", () => {
  for (const options of [[], ["--no-worker-threads"]]) {
    test(`${options.join(" ") || "as it is"}: cleanups run`, async () => {
      const source = (name: string) => `
        ${begin(name)}
        import test from ${JSON.stringify(bin("ava/entrypoints/main.mjs"))};
        test("registers", (t) => { registerSome(); t.pass(); });
        test("exit() calls the test's process.exit", (t) => { ${STUBBED_EXIT} t.pass(); });`;
      const args = [bin("ava/entrypoints/cli.mjs"), ...options, "a.test.js", "b.test.js"];
      const ended = await runner(args, { "a.test.js": source("a"), "b.test.js": source("b") });
      assert.equal(ended.code, 0, ended.stderr + ended.stdout);
      assert.match(ended.stdout, /4 tests passed/);
      assert.equal(ended.stderr, "");
      for (const name of ["a", "b"]) assert.deepEqual(of(name, ended.left), linesFrom(name));
    });
  }
});

describe("tap", () => {
  const source = (name: string) => `
    ${begin(name)}
    import t from "tap";
    t.test("registers", (t) => { registerSome(); t.pass(); t.end(); });
    t.test("exit() calls the test's process.exit", (t) => { ${STUBBED_EXIT} t.pass(); t.end(); });`;
  const files = { "a.test.js": source("a"), "b.test.js": source("b") };

  test("a file: cleanups run", async () => {
    const ended = await runner(["a.test.js"], files);
    assert.deepEqual([ended.code, ended.left, ended.stderr], [0, linesFrom("a"), ""], ended.stdout);
    assert.match(ended.stdout, /^# \{ total: 2, pass: 2 \}$/m);
  });

  test("its command: cleanups run", async () => {
    const options = ["--disable-coverage", "--allow-empty-coverage", "--reporter=tap"];
    const ended = await runner([bin("tap/dist/esm/run.mjs"), ...options, "a.test.js", "b.test.js"], files);
    assert.equal(ended.code, 0, ended.stderr + ended.stdout);
    assert.match(ended.stdout, /^# \{ total: 4, pass: 4 \}$/m);
    for (const name of ["a", "b"]) assert.deepEqual(of(name, ended.left), linesFrom(name));
  });
});

describe("Playwright, with globalSetup", () => {
  const files = {
    "playwright.config.mjs": `
      export default { globalSetup: "./setup.mjs", reporter: "line", workers: 1, testMatch: "*.spec.mjs" };`,
    "setup.mjs": `${begin("setup")} export default () => registerSome();`,
    "a.spec.mjs": `
      ${begin("worker")}
      import { test } from "@playwright/test";
      test("registers", registerSome);
      test("exit() calls the test's process.exit", () => { ${STUBBED_EXIT} });
      if (process.env.WAITS) test("waits", async () => { console.log("waiting"); await sleep(60_000); });`,
  };
  const args = [bin("@playwright/test/cli.js"), "test"];
  const both = [...linesFrom("worker"), ...linesFrom("setup")];

  test("cleanups of the workers run, and then those of the setup", async () => {
    const ended = await runner(args, files);
    assert.deepEqual([ended.code, ended.left, ended.stderr], [0, both, ""], ended.stdout);
    assert.match(ended.stdout, /2 passed/);
  });

  test("on Ctrl-C as well", async () => {
    const ended = await runner(args, files, {
      env: { WAITS: "1" },
      act: async (child) => {
        await printed(child, "waiting");
        child.kill("SIGINT");
      },
    });
    assert.deepEqual([ended.code, ended.left], [130, both], ended.stdout + ended.stderr);
  });
});

/** What each of the runtimes needs to run two test files. */
const RUNTIMES = {
  "bun test": {
    command: bun,
    args: ["test"],
    head: `import { afterAll, test } from "bun:test";`,
    hook: "afterAll(run)",
    passed: /4 pass\n 0 fail/,
    told: 1,
  },
  "deno test": {
    command: deno,
    // The types of Node are not there.
    args: ["test", "-A", "--no-check"],
    head: `import process from "node:process"; const { test } = Deno;`,
    hook: "Deno.test.afterAll(run)",
    passed: /ok \| 4 passed \| 0 failed/,
    // Each file has globals of its own, and a stack.
    told: 2,
  },
};

for (const [name, { command, args, head, hook, passed, told }] of Object.entries(RUNTIMES)) {
  describe(name, () => {
    const line = `atexit: \`${name}\` ends without a word to cleanups, and runs them only where a test file calls ${hook}\n`;
    for (const isHooked of [false, true]) {
      test(`cleanups ${isHooked ? `run where a file calls ${hook}` : "cannot run, and that is said"}`, async () => {
        const source = (file: string) => `
          ${begin(file)}
          ${head}
          import { remove } from "atexit/durable";
          const made = process.env.MADE + ".${file}";
          appendFileSync(made, "");
          remove(made);
          test("registers", registerSome);
          test("exit() calls the test's process.exit", () => { ${STUBBED_EXIT} });
          ${isHooked ? hook : ""}`;
        const files = { "a.test.js": source("a"), "b.test.js": source("b") };
        const made = join(modules, `${name.replace(" ", "-")}-${isHooked}`);
        const ended = await runner(args, files, { command, env: { MADE: made, DENO_NO_UPDATE_CHECK: "1" } });
        const all = ended.stdout + ended.stderr;
        assert.equal(ended.code, 0, all);
        assert.match(all, passed);
        assert.equal(all.split(line).length - 1, told, all);
        assert.deepEqual(ended.left, isHooked ? [...linesFrom("a"), ...linesFrom("b")] : []);
        // The guard carries out what is durable.
        await until(() => !existsSync(`${made}.a`) && !existsSync(`${made}.b`));
      });
    }
  });
}
