// The same promises for programs in CommonJS, whose top level Node runs in
// another way.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const leaves = {
  "the natural end": ["", "0", /^$/],
  "process.exit(3) at top level": ["process.exit(3); console.log('never')", "3", /^$/],
  "process.exit(3) in a required module": [
    `require("node:fs").writeFileSync(__dirname + "/inner.cjs", "process.exit(3); console.log('never')");
     require("./inner.cjs"); console.log("never");`,
    "3",
    /^$/,
  ],
  "exit of node:process, destructured": ["stay(); const { exit } = require('node:process'); exit(3)", "3", /^$/],
  "a throw at top level": [
    "throw new Error('boom')",
    "1",
    /^.*program\.cjs:\d+\n.*throw new Error\('boom'\);\n *\^\n\nError: boom\n(.*\n)+\nNode\.js v/,
  ],
  "a throw of a string": ["throw 'boom'", "1", /^boom\n/],
  "a rejected promise": ["Promise.reject(new Error('boom'))", "1", /Error: boom/],
  SIGTERM: ["stay(); process.kill(process.pid, 'SIGTERM')", "SIGTERM", /^$/],
  "process.exit('x') is Node's own error, and nothing is cleaned up before it": [
    "try { process.exit('x') } catch (error) { console.log(error.code) } process.exit(4)",
    "4",
    /^$/,
  ],
} as const;

describe("CommonJS", { concurrency: 3 }, () => {
  for (const [name, [leave, status, stderr]] of Object.entries(leaves)) {
    test(name, async () => {
      const ended = await runProgram(
        `const { register } = require("atexit");
           const stay = () => setTimeout(() => {}, 20_000);
           register(() => console.log("first"));
           register(async () => { await new Promise((resolve) => setTimeout(resolve, 5)); console.log("second"); });
           ${leave};`,
        { file: "program.cjs", nodeOptions: ["--disable-warning=ExperimentalWarning"] },
      );
      const own = name.includes("'x'") ? "ERR_INVALID_ARG_TYPE\n" : "";
      assert.equal(ended.stdout, `${own}second\nfirst\n`, ended.stderr);
      assert.match(ended.stderr, stderr);
      assert.equal(statusOf(ended), status);
    });
  }
});
