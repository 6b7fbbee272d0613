// A program has the whole package from its start to its end: bundled into one
// file, removed from the disk meanwhile, whatever Node forbids, in a realm of
// its own.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { copyPackage, isFromSources, urlOf } from "../support/package-under-test.ts";
import { runProgram, withProgram } from "../support/program.ts";
import { run, statusOf, withDirectory } from "../support/run.ts";

/** Uses what a start does not need: options, unregister, a failing cleanup's report, and a shutdown. */
const PROGRAM = `
  import { configure, finalize, register, unregister } from "atexit";
  configure({ grace: 5_000 });
  const never = () => console.log("never");
  register(never);
  unregister(never);
  finalize(globalThis, () => console.log("finalized"));
  register({ name: "fails" }, () => { throw new Error("on purpose") });
  register(async () => { await 1; console.log("asynchronous"); });
  try { register(1) } catch (error) { console.log(error instanceof TypeError, error.code); }
`;

const SAID = "true ERR_ATEXIT_NOT_A_FUNCTION\nasynchronous\nfinalized\n";

test("a program that is bundled into one file has all of it in there", () =>
  withDirectory(async (directory) => {
    const file = join(directory, "program.mjs");
    await withProgram(`${PROGRAM} process.exit(3);`, "program.mjs", (program) =>
      build({ entryPoints: [program], outfile: file, bundle: true, minify: true, format: "esm", platform: "node" }),
    );
    const ended = await run(process.execPath, [file], { cwd: directory });
    assert.equal(ended.stdout, SAID);
    assert.match(ended.stderr, /^atexit: cleanup "fails" failed: Error: on purpose\n/);
    assert.equal(statusOf(ended), "3");
  }));

test("a package that has been removed meanwhile is whole to its end", () =>
  withDirectory(async (directory) => {
    const copy = join(directory, "copy");
    const pathOf = copyPackage(copy);
    const ended = await runProgram(`
      import { rmSync } from "node:fs";
      const { register, unregister } = await import(${JSON.stringify(pathOf("atexit"))});
      rmSync(${JSON.stringify(copy)}, { recursive: true });
      register({ name: "fails" }, () => { throw new Error("on purpose") });
      register(async () => { await 1; console.log("asynchronous"); });
      const never = () => console.log("never");
      register(never);
      unregister(never);
      throw new Error("thrown");`);
    assert.equal(ended.stdout, "asynchronous\n");
    assert.match(ended.stderr, /Error: thrown\n[^]*atexit: cleanup "fails" failed: Error: on purpose\n/);
    assert.equal(statusOf(ended), "1");
  }));

for (const option of ["--disallow-code-generation-from-strings", "--frozen-intrinsics"]) {
  test(`it runs with ${option}`, async () => {
    const ended = await runProgram(`${PROGRAM} process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1_000);`, {
      nodeOptions: [option, "--no-warnings"],
    });
    assert.equal(ended.stdout, SAID, ended.stderr);
    // With frozen intrinsics Node 20 itself shows errors as {}.
    assert.match(ended.stderr, /^atexit: cleanup "fails" failed: (Error: on purpose|\{\})\n/);
    assert.equal(statusOf(ended), "SIGTERM");
  });
}

test(
  "an error is of the realm of the program that gets it, as under a test framework",
  { skip: isFromSources && "takes a build: npm test" },
  async () => {
    const ended = await runProgram(
      `
      import { readFileSync } from "node:fs";
      import vm from "node:vm";
      const context = vm.createContext({ process, console, AbortController, setTimeout, clearTimeout, setImmediate, clearImmediate });
      const modules = new Map();
      const load = (url) => {
        if (modules.has(url)) return modules.get(url);
        const module = new vm.SourceTextModule(readFileSync(new URL(url), "utf8"), {
          context,
          identifier: url,
          initializeImportMeta(meta) { meta.url = url },
        });
        modules.set(url, module);
        return module;
      };
      const link = async (specifier, { identifier }) => {
        if (!specifier.startsWith("node:")) return load(new URL(specifier, identifier).href);
        const builtin = await import(specifier);
        return new vm.SyntheticModule(Object.keys(builtin), function () {
          for (const [name, value] of Object.entries(builtin)) this.setExport(name, value);
        }, { context });
      };
      const module = load(${JSON.stringify(urlOf("atexit"))});
      await module.link(link);
      await module.evaluate();
      context.atexit = module.namespace;
      console.log(vm.runInContext(\`
        try { atexit.register(1) } catch (error) { error instanceof TypeError }\`, context));
      context.atexit.register(() => console.log("cleaned up"));`,
      { nodeOptions: ["--experimental-vm-modules", "--no-warnings"] },
    );
    assert.equal(ended.stdout, "true\ncleaned up\n", ended.stderr);
  },
);
