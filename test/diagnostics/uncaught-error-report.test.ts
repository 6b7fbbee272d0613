// The report of an uncaught error is Node's, byte for byte, wherever JavaScript
// can know what Node knows; where it cannot, the excerpt of the source is left
// out, and nothing else differs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

interface Row {
  readonly name: string;
  readonly source: string;
  /** What is not Node's: the excerpt is left out, since JavaScript cannot know the place of the throw. */
  readonly excerpt?: "left out";
  readonly nodeOptions?: readonly string[];
}

const rows: readonly Row[] = [
  { name: "throw new Error in a function", source: "function f() {\n\tthrow new Error('boom');\n}\nsetTimeout(f, 1);" },
  { name: "throw Error without new", source: "setTimeout(() => {  throw Error('boom')  }, 1);" },
  { name: "a property of null", source: "setTimeout(() => { const o = null;\to.name.other; }, 1);" },
  { name: "an unknown variable", source: "setTimeout(() => { missing + 1; }, 1);" },
  { name: "a call of what is no function", source: "setTimeout(() => { const o = {}; o.f(1); }, 1);" },
  { name: "an invalid array length", source: "setTimeout(() => { new Array(-1); }, 1);", excerpt: "left out" },
  {
    name: "an error with properties",
    source: "setTimeout(() => { throw Object.assign(new Error('boom'), { code: 'X', n: { a: [1] } }); }, 1);",
    excerpt: "left out",
  },
  {
    name: "an error with a cause",
    source: "setTimeout(() => { throw new Error('boom', { cause: new TypeError('why') }); }, 1);",
  },
  {
    name: "an AggregateError",
    source: "setTimeout(() => { throw new AggregateError([new Error('a'), 1], 'all'); }, 1);",
  },
  {
    name: "an error of a class",
    source: "class Mine extends Error { name = 'Mine' }\nsetTimeout(() => { throw new Mine('boom'); }, 1);",
  },
  { name: "an error with an empty message", source: "setTimeout(() => { throw new Error(); }, 1);" },
  { name: "an error with lines in its message", source: "setTimeout(() => { throw new Error('a\\nb'); }, 1);" },
  { name: "a rejection", source: "const main = async () => { const e = new Error('boom'); throw e; };\nmain();" },
  {
    name: "a rejection, with --unhandled-rejections=strict",
    source: "const main = async () => { const e = new Error('boom'); throw e; };\nmain();",
    nodeOptions: ["--unhandled-rejections=strict"],
  },
  { name: "a rejection of a created error", source: "Promise.reject(new RangeError('boom')); " },
  { name: "a throw at an ES module's top level", source: "throw new Error('boom');" },
  {
    name: "a system error",
    source: "import fs from 'node:fs'; setTimeout(() => fs.readFileSync('/nowhere'), 1);",
    excerpt: "left out",
  },
  {
    name: "an error created here and thrown there",
    source: "const e = new Error('boom');\nsetTimeout(() => {\n  throw e;\n}, 1);",
    excerpt: "left out",
  },
  {
    name: "an error caught and thrown again",
    source: "setTimeout(() => {\n  try {\n    throw new Error('boom');\n  } catch (e) {\n    throw e;\n  }\n}, 1);",
    excerpt: "left out",
  },
  {
    name: "an engine's error caught and thrown again",
    source: "setTimeout(() => {\n  try {\n    null.x;\n  } catch (e) {\n    throw e;\n  }\n}, 1);",
    excerpt: "left out",
  },
  { name: "a string", source: "setTimeout(() => { throw 'boom'; }, 1);", excerpt: "left out" },
  { name: "undefined", source: "setTimeout(() => { throw undefined; }, 1);", excerpt: "left out" },
  { name: "a symbol", source: "setTimeout(() => { throw Symbol('s'); }, 1);", excerpt: "left out" },
  { name: "an object", source: "setTimeout(() => { throw { a: { b: { c: { d: 1 } } } }; }, 1);", excerpt: "left out" },
  {
    name: "an object with name and message",
    source: "setTimeout(() => { throw { name: 'N', message: 'm' }; }, 1);",
    excerpt: "left out",
  },
  { name: "a rejection with a string", source: "Promise.reject('boom');", excerpt: "left out" },
  { name: "a rejection with an object", source: "Promise.reject({ a: 1 });", excerpt: "left out" },
  {
    name: "an assertion",
    source: "import assert from 'node:assert'; setTimeout(() => assert.equal(1, 2), 1);",
    excerpt: "left out",
  },
  {
    name: "without the version of Node",
    source: "setTimeout(() => { throw new Error('boom'); }, 1);",
    nodeOptions: ["--no-extra-info-on-fatal-exception"],
  },
  {
    name: "an error whose stack is no string",
    source: "setTimeout(() => { const e = new Error('boom'); e.stack = 5; throw e; }, 1);",
    excerpt: "left out",
  },
  {
    name: "an error whose stack was replaced",
    source: "setTimeout(() => { const e = new Error('boom'); e.stack = 'mine'; throw e; }, 1);",
    excerpt: "left out",
  },
  {
    name: "an error event that nobody listens to",
    source: `import { EventEmitter } from "node:events"; setTimeout(() => new EventEmitter().emit("error", new Error("x")), 1);`,
    excerpt: "left out",
  },
  {
    name: "an error event at the top of a module",
    source: `import { EventEmitter } from "node:events"; new EventEmitter().emit("error", new Error("x"));`,
    excerpt: "left out",
  },
  {
    name: "a port in use",
    source: `import net from "node:net"; const one = net.createServer().listen(0, () => net.createServer().listen(one.address().port));`,
    excerpt: "left out",
  },
  {
    name: "a command that is not there",
    source: `import { spawn } from "node:child_process"; spawn("no-such-command");`,
    excerpt: "left out",
  },
  {
    name: "an error whose stack cannot be read",
    source: `const error = new Error("x"); Object.defineProperty(error, "stack", { get() { throw 1; } }); throw error;`,
    excerpt: "left out",
  },
  {
    name: "an error whose property cannot be read",
    source: `const cause = { get stack() { throw 1; } }; throw Object.assign(new Error("x"), { get name() { throw 1; } });`,
    excerpt: "left out",
  },
  {
    name: "a way to show stacks that fails",
    source: `Error.prepareStackTrace = () => { throw new Error("no"); }; throw new TypeError("x");`,
    excerpt: "left out",
  },
];

const REGISTER = `globalThis.handle = (await import("atexit")).register(() => {});\n`;
/** As many lines, so that the places are the same. */
const NOTHING = `globalThis.handle = (await import("node:fs"));\n`;

describe("the report of an uncaught error", { concurrency: 3 }, () => {
  for (const { name, source, excerpt, nodeOptions = [] } of rows) {
    test(name, async () => {
      const run = async (first: string) => {
        const ended = await runProgram(first + source, { nodeOptions });
        return {
          ...ended,
          stderr: ended.stderr.replaceAll(/program-\w+/g, "program").replaceAll(/(:::|port: )\d+/g, "$1port"),
        };
      };
      const [bare, ours] = await Promise.all([run(NOTHING), run(REGISTER)]);
      assert.equal(ours.code, bare.code);
      assert.notEqual(bare.stderr, "");
      assert.equal(ours.stderr, excerpt === undefined ? bare.stderr : withoutExcerpt(bare.stderr));
    });
  }
});

/** Node's report without `file:line`, the source line and the caret. */
function withoutExcerpt(report: string): string {
  return report.replace(/^\n?(?:file:\/\/|node:)\S*:\d+\n.*\n\s*\^+\n(?:\n(?=[^\s(]))?/, "");
}

test("with --unhandled-rejections=strict nothing else follows the report", async () => {
  const source = `
      import { register } from "atexit";
      if (process.env.WITH === "yes") register(() => new Promise((resolve) => setTimeout(resolve, 5)));
      const main = async () => { const e = new Error("boom"); throw e; };
      main();`;
  const stderrOf = async (WITH: string) => {
    const ended = await runProgram(source, {
      nodeOptions: ["--unhandled-rejections=strict"],
      env: { ...process.env, WITH },
    });
    assert.equal(ended.code, 1);
    return ended.stderr.replaceAll(ended.file, "program.mjs");
  };
  assert.equal(await stderrOf("yes"), await stderrOf("no"));
});
