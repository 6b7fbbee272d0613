// Node's warning of a leak of listeners: of a program's own it comes, as without this
// package, and one listener of this package's beside ten of a program's draws none.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

const rows: Readonly<Record<string, { readonly source: string; readonly warnings: number }>> = {
  "ten of the program's own, before the registration": {
    source: "add(10); register(() => {});",
    warnings: 0,
  },
  "ten of the program's own, after the registration": {
    source: "register(() => {}); add(10);",
    warnings: 0,
  },
  "eleven in one go, after the registration": {
    source: "register(() => {}); add(11);",
    warnings: 1,
  },
  "forty, one in each turn of the loop": {
    source:
      "register(() => {}); for (let n = 0; n < 40; n += 1) { add(1); await new Promise((resolve) => setImmediate(resolve)); }",
    warnings: 1,
  },
  "ten, and an eleventh in a later turn": {
    source: `
      register(() => {});
      add(10);
      await new Promise((resolve) => setImmediate(resolve));
      add(1);`,
    warnings: 1,
  },
  "eleven, before the registration": {
    source: "add(11); register(() => {});",
    warnings: 1,
  },
};

describe("a warning of MaxListeners", { concurrency: 2 }, () => {
  for (const [name, { source, warnings }] of Object.entries(rows)) {
    test(`${name}: ${warnings === 0 ? "no warning" : "one warning"}`, async () => {
      const { stderr, code } = await runProgram(`
        import { register } from "atexit";
        const add = (count) => { for (let n = 0; n < count; n += 1) process.on("SIGTERM", () => {}); };
        ${source}`);
      assert.equal(code, 0);
      assert.equal(stderr.match(/MaxListenersExceededWarning/g)?.length ?? 0, warnings, stderr);
      if (warnings === 0) assert.equal(stderr, "");
    });
  }
});
