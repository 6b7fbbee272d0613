// docs/platforms.md: its table is what the tests are.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";

test("the table of systems is that of the tests in test/systems", async () => {
  const { code, stderr } = await run(process.execPath, [join(repository, "scripts/platforms.mjs"), "--check"]);
  assert.equal(code, 0, stderr);
});
