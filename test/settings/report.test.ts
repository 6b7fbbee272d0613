// Reports go where the program wants them, and nothing depends on who listens.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CleanupReport } from "../../src/index.ts";
import { evaluate } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const PROGRAM = `
  import { writeSync } from "node:fs";
  import { configure, register } from "atexit";
  const say = (text) => writeSync(1, text + "\\n");
  register(() => say("below"));
  register({ name: "hangs", timeout: 500 }, () => new Promise(() => setTimeout(() => {}, 20_000)));
  register({ name: "fails" }, () => { throw new Error("boom"); });
`;

describe("configure({ report })", { concurrency: 2 }, () => {
  test("is given each report, with its parts, and stderr stays empty", async () => {
    const ended = await evaluate(`${PROGRAM}
      configure({ report: ({ error, ...report }) => say(JSON.stringify({ ...report, message: error?.message })) });
      process.exit();`);
    const lines = ended.stdout.trim().split("\n");
    assert.equal(lines.pop(), "below");
    const reports = lines.map((line) => JSON.parse(line) as CleanupReport & { message?: string });
    assert.deepEqual(
      reports.map(({ kind, cleanup, message }) => [kind, cleanup, message]),
      [
        ["failed", "fails", "boom"],
        ["given up", "hangs", undefined],
      ],
    );
    for (const { place, text } of reports) {
      assert.match(String(place), /program\.mjs:\d+:\d+/);
      assert.match(text, /^cleanup "(?:fails" failed: Error: boom|hangs" has not settled)/);
    }
    assert.deepEqual([ended.stderr, statusOf(ended)], ["", "1"]);
  });

  test("cleanups that are not awaited are reported there, too", async () => {
    const ended = await evaluate(
      `import { configure, register } from "atexit";
       configure({ processExit: "sync", report: ({ kind, cleanup }) => console.log(kind, cleanup) });
       register({ name: "db" }, async () => {});
       process.exit(2);`,
    );
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["not awaited db\n", "", "2"]);
  });

  for (const [what, report] of Object.entries({
    throws: '() => { throw new Error("mine"); }',
    blocks: "() => { for (;;); }",
  })) {
    test(`one that ${what} changes nothing: the report is on stderr`, async () => {
      const bare = await evaluate(`${PROGRAM} process.exit(3);`);
      const ended = await evaluate(`${PROGRAM} configure({ report: ${report} }); process.exit(3);`);
      const withoutFiles = (text: string) => text.replaceAll(/program-\w+|:\d+:\d+/g, "");
      assert.equal(withoutFiles(ended.stderr), withoutFiles(bare.stderr));
      assert.deepEqual([ended.stdout, statusOf(ended)], ["below\n", "3"]);
    });
  }

  test("one whose promise is rejected is no uncaught error", async () => {
    const ended = await evaluate(
      `${PROGRAM} configure({ report: async () => { throw new Error("mine"); } }); process.exit(3);`,
    );
    assert.match(ended.stderr, /^atexit: cleanup "fails" failed: Error: boom/);
    assert.doesNotMatch(ended.stderr, /mine/);
    assert.deepEqual([ended.stdout, statusOf(ended)], ["below\n", "3"]);
  });
});
