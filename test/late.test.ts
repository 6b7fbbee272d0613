// What a start does not need is text in the package's files, and becomes code
// when it is called: wherever the program is then, and whatever Node forbids.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { nodes } from "./support/nodes.js";
import { runProgram } from "./support/program.js";
import { run, statusOf, withDirectory } from "./support/run.js";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** Uses what is loaded late: options, unregister, a failing cleanup's report, and a shutdown. */
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

for (const { line, path: node } of nodes) {
  describe(`Node ${line}`, () => {
    test("a program that is bundled into one file has all of it in there", () =>
      withDirectory(async (directory) => {
        const file = join(directory, "program.mjs");
        await build({
          stdin: { contents: `${PROGRAM} process.exit(3);`, resolveDir: dist },
          alias: { atexit: join(dist, "index.js") },
          outfile: file,
          bundle: true,
          minify: true,
          format: "esm",
          platform: "node",
        });
        const ended = await run(node, [file], { cwd: directory });
        assert.equal(ended.stdout, SAID);
        assert.match(ended.stderr, /^atexit: cleanup "fails" failed: Error: on purpose\n/);
        assert.equal(statusOf(ended), "3");
      }));

    test("a package that has been removed meanwhile is whole to its end", () =>
      withDirectory(async (directory) => {
        const file = join(directory, "program.mjs");
        const copy = join(directory, "copy.mjs");
        writeFileSync(
          file,
          `import { copyFileSync, rmSync } from "node:fs";
          copyFileSync(${JSON.stringify(join(dist, "index.js"))}, ${JSON.stringify(copy)});
          const { register } = await import("./copy.mjs");
          rmSync(${JSON.stringify(copy)});
          register({ name: "fails" }, () => { throw new Error("on purpose") });
          register(async () => { await 1; console.log("asynchronous"); });
          throw new Error("thrown");`,
        );
        const ended = await run(node, [file]);
        assert.equal(ended.stdout, "asynchronous\n");
        assert.match(ended.stderr, /Error: thrown\n[^]*atexit: cleanup "fails" failed: Error: on purpose\n/);
        assert.equal(statusOf(ended), "1");
      }));

    for (const option of ["--disallow-code-generation-from-strings", "--frozen-intrinsics"]) {
      test(`with ${option}`, async () => {
        const ended = await runProgram(
          `${PROGRAM} process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1_000);`,
          {
            node,
            nodeOptions: [option, "--no-warnings"],
          },
        );
        assert.equal(ended.stdout, SAID, ended.stderr);
        // With frozen intrinsics Node 20 itself shows errors as {}.
        assert.match(ended.stderr, /^atexit: cleanup "fails" failed: (Error: on purpose|\{\})\n/);
        assert.equal(statusOf(ended), "SIGTERM");
      });
    }

    test("an error is of the realm of the program that gets it, as under a test framework", async () => {
      const source = `
        import { readFileSync } from "node:fs";
        import vm from "node:vm";
        const context = vm.createContext({ process, console, AbortController, setTimeout, clearTimeout, setImmediate, clearImmediate });
        const module = new vm.SourceTextModule(readFileSync(${JSON.stringify(join(dist, "index.js"))}, "utf8"), {
          context,
          initializeImportMeta(meta) { meta.url = "file:///atexit/index.js" },
        });
        await module.link(() => {});
        await module.evaluate();
        context.atexit = module.namespace;
        console.log(vm.runInContext(\`
          try { atexit.register(1) } catch (error) { error instanceof TypeError }\`, context));
        context.atexit.register(() => console.log("cleaned up"));`;
      const ended = await runProgram(source, { node, nodeOptions: ["--experimental-vm-modules", "--no-warnings"] });
      assert.equal(ended.stdout, "true\ncleaned up\n", ended.stderr);
    });

    test("a program that registers, and listens to other events, loads none of it before its end", async () => {
      const source = `
        import { Session } from "node:inspector";
        import { register } from "atexit";
        const session = new Session();
        session.connect();
        const loaded = [];
        session.on("Debugger.scriptParsed", ({ params: { url } }) => {
          const part = /index\\.js\\?(.*)$/.exec(url)?.[1];
          if (part !== undefined) loaded.push(part);
        });
        session.post("Debugger.enable");
        register(() => console.log("at its end:", loaded.join()));
        process.on("SIGUSR1", () => {});
        process.emit("something", 1);
        console.log("before:", loaded.join());`;
      const ended = await runProgram(source, { node });
      assert.equal(ended.stdout, "before: \nat its end: ending\n", ended.stderr);
    });
  });
}
