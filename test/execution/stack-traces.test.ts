// What a stack trace shows of this package, and what a report leaves of it.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { runProgram, withProgram } from "../support/program.ts";
import { run } from "../support/run.ts";

/** How many frames of this package, and of what it compiles, may stand between a cleanup and process.exit(). */
const MOST = 12;

/** Prints each frame between the cleanup and the program's own call of process.exit() that is not Node's. */
const PRINTS_FRAMES = `
  import { register } from "atexit";
  Error.stackTraceLimit = 100;
  register(function cleanup() {
    const frames = new Error().stack.split("\\n").slice(2);
    const end = frames.findIndex((frame) => frame.includes("process.exit (node:"));
    for (const frame of frames.slice(0, end)) if (!frame.includes("node:")) console.log(frame.trim());
  });
  process.exit(3);`;

const FAILS = `
  import { register } from "atexit";
  import { closeAll } from "./close-all.mjs";
  function release() { closeAll(); }
  register({ name: "release" }, release);
  function leaveTheProgram() { process.exit(); }
  leaveTheProgram();`;

/** Runs a program as it is, and as one file that a bundler has made. */
async function inBothForms(source: string, more: Record<string, string>, check: (run: Run) => void): Promise<void> {
  for (const options of [{}, { minify: true }, undefined]) {
    await withProgram(source, "program.mjs", async (path) => {
      for (const [name, text] of Object.entries(more)) writeFileSync(join(path, "..", name), text);
      let file = path;
      if (options !== undefined) {
        file = join(path, "..", "bundle.mjs");
        const plain = { bundle: true, platform: "node", format: "esm", logLevel: "silent" } as const;
        await build({ ...plain, ...options, entryPoints: [path], outfile: file });
      }
      check({ ...(await run(process.execPath, [file])), form: options === undefined ? "as it is" : "bundled" });
    });
  }
}

type Run = Awaited<ReturnType<typeof run>> & { readonly form: string };

describe("a stack trace", () => {
  it(`taken in a cleanup on process.exit() shows at most ${MOST} frames of this package`, async () => {
    const { stdout, stderr, code } = await runProgram(PRINTS_FRAMES);
    assert.equal(code, 3, stderr);
    const frames = stdout.trim().split("\n");
    assert.ok(frames.length > 3 && frames.length <= MOST, stdout);
  });

  it("shows no more of them in a program that a bundler has made into one file", async () => {
    await inBothForms(PRINTS_FRAMES, {}, ({ stdout, stderr, code, form }) => {
      assert.equal(code, 3, `${form}: ${stderr}`);
      assert.ok(stdout.trim().split("\n").length <= MOST, `${form}: ${stdout}`);
    });
  });

  it("is reported down to the cleanup's own frames, also in a bundle", async () => {
    const closeAll = 'export function closeAll() { throw new Error("cannot be closed"); }';
    await inBothForms(FAILS, { "close-all.mjs": closeAll }, ({ stderr, code, form }) => {
      assert.equal(code, 1, `${form}: ${stderr}`);
      const frames = stderr.split("\n").filter((line) => /^\s+at /.test(line));
      assert.equal(frames.length, 2, `${form}: ${stderr}`);
    });
  });

  it("keeps the properties of an error, and its cause, behind frames that are left out", async () => {
    const { stderr } = await runProgram(`
      import { register } from "atexit";
      register(function release() {
        throw Object.assign(new Error("outer", { cause: new Error("inner") }), { code: "E_OUTER" });
      });`);
    assert.match(stderr, /Error: outer\n +at release \(.*\) \{\n/);
    assert.match(stderr, /\[cause\]: Error: inner\n +at release /);
    assert.match(stderr, /code: 'E_OUTER'/);
    assert.doesNotMatch(stderr, /callCleanup/);
  });
});

describe("an error of a wrong call", () => {
  const wrongCalls = [
    ["atexit", "register", "register(1)"],
    ["atexit", "register", "register({ timeout: -1 }, () => {})"],
    ["atexit", "unregister", "unregister(1)"],
    ["atexit", "finalize", "finalize(1, () => {})"],
    ["atexit", "configure", "configure({ grace: -1 })"],
    ["atexit", "exit", "exit(256)"],
    ["atexit/durable", "remove", "remove(1)"],
    ["atexit/durable", "remove", 'remove("/")'],
    ["atexit/durable", "kill", "kill(1)"],
    ["atexit/durable", "exec", "exec(1)"],
    ["atexit/durable", "call", "call(1, 'x')"],
    ["atexit/durable", "configure", "configure({ no: 1 })"],
    ["atexit/resources", "lockFileSync", "lockFileSync(1)"],
    ["atexit/resources", "tempFile", "tempFile({ prefix: '/' })"],
    ["atexit/resources", "tempDir", "tempDir({ prefix: '/' })"],
    ["atexit/resources", "logFile", "logFile(1)"],
    ["atexit/resources", "child", "child({ pid: process.pid, spawnfile: 'x', once() {} })"],
    ["atexit/resources", "closing", "closing(1)"],
    ["atexit/resources", "endWithParent", "endWithParent({ interval: -1 })"],
    ["atexit/resources", "server", "server({}, { grace: -1 })"],
  ] as const;

  it("begins at the line that made it", async () => {
    const source = wrongCalls.map(
      ([module, name, call], index) => `
        import { ${name} as f${index} } from "${module}";
        (function programs${index}() {
          try {
            ${call.replace(name, `f${index}`)};
            console.log("${call}: nothing thrown");
          } catch (error) {
            const [, first] = error.stack.split("\\n");
            if (!/^ERR_ATEXIT_/.test(error.code) || !first.includes("programs${index}")) {
              console.log(${JSON.stringify(call)} + ":", error.stack);
            }
          }
        })();`,
    );
    const { stdout, stderr } = await runProgram(source.join("\n"));
    assert.equal(stdout, "", stderr);
    assert.equal(stderr, "");
  });

  it("begins there also where it comes as a rejection", async () => {
    const { stdout, stderr } = await runProgram(`
      import { lockFile } from "atexit/resources";
      async function take() { await lockFile(1); }
      await take().catch((error) => console.log(error.stack.split("\\n")[1]));`);
    assert.match(stdout, /at take /, stderr);
  });
});
