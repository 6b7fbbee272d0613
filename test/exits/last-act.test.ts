// The commonest end of a command-line tool, `main().then(() => process.exit())`: a
// `.catch(console.error)` behind it prints nothing. Whoever could go on after the call
// is unwound, as everywhere.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

interface Row {
  readonly source: string;
  /** Whether the caller goes on, and its `catch` hears of nothing. */
  readonly isLast: boolean;
}

const rows: readonly Row[] = [
  { source: "main().then(() => process.exit(3)).catch(console.error);", isLast: true },
  { source: "main().then(() => process.exit(3), console.error).catch(console.error);", isLast: true },
  {
    source: "main().then((done) => process.exit(done)).catch((error) => { console.error(error); process.exit(1); });",
    isLast: true,
  },
  {
    source:
      "main()\n  .then(async () => {\n    await null; // a pause\n    process.exit(3);\n  })\n  .catch(console.error);",
    isLast: true,
  },
  {
    source: "main().then(() => { if (!main) throw new Error('}'); process.exit(3) }).catch(console.error);",
    isLast: true,
  },
  { source: "main().then(function () { process.exit(3); }).catch(console.error);", isLast: false },
  {
    source: "main().then(() => { if (main) { process.exit(3); } console.log('went on'); }).catch(console.error);",
    isLast: false,
  },
  {
    source: "main().then(() => { if (!main) return 1; process.exit(3); }).then(console.log).catch(console.error);",
    isLast: false,
  },
  { source: "main().then(() => [1].map(() => process.exit(3))).catch(console.error);", isLast: false },
  { source: "main().then(() => (process.exit(3), console.log('went on'))).catch(console.error);", isLast: false },
  { source: "main().then(() => String(process.exit(3))).then(console.log).catch(console.error);", isLast: false },
  {
    source:
      "const leave = () => process.exit(3); main().then(() => { leave(); console.log('went on'); }).catch(console.error);",
    isLast: false,
  },
  { source: "Promise.reject(1).catch(() => process.exit(3)).then(console.log).catch(console.error);", isLast: false },
  {
    source: "(async () => { await main(); process.exit(3); })().then(console.log).catch(console.error);",
    isLast: false,
  },
];

describe("process.exit(), where a catch behind it prints everything", { concurrency: 2 }, () => {
  for (const { source, isLast } of rows) {
    for (const file of isLast ? ["program.mjs", "program.cjs"] : ["program.mjs"]) {
      test(`${isLast ? "nothing is printed" : "the caller is unwound"}: ${source} (${file})`, async () => {
        const atexit =
          file === "program.mjs" ? 'import { register } from "atexit";' : 'const { register } = require("atexit");';
        const { stdout, stderr, code } = await runProgram(
          `${atexit}
          const main = async () => { await null; return 3; };
          register(() => new Promise((resolve) => setTimeout(resolve, 20)).then(() => console.log("cleaned up")));
          ${source}`,
          { file },
        );
        assert.deepEqual([stdout, code], ["cleaned up\n", 3]);
        if (isLast) assert.equal(stderr, "");
        else assert.match(stderr, /^SystemExit: .*\n$/);
      });
    }
  }
});
