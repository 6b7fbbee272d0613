// Every way out that no program sees: all recipes are carried out by the guard,
// last in, first out, and nothing is left behind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXPECTED_LOG } from "../../src/tour/libraries.ts";
import { startAndEnd } from "../../src/tour/start.ts";
import { unseenWaysOut } from "../../src/tour/unseen-ways-out.ts";
import { tourPrograms } from "../support/package-under-test.ts";

describe("recipes on a way out that no program sees", { concurrency: 2 }, () => {
  for (const way of unseenWaysOut) {
    test(`${way.name} (${way.host})`, async () => {
      const bare = way.status ?? (await startAndEnd(way, "none", "recipes", process.execPath, tourPrograms)).status;
      const outcome = await startAndEnd(way, "atexit", "recipes", process.execPath, tourPrograms);
      const context = `stderr: ${outcome.stderr.before}`;
      assert.deepEqual(outcome.log, EXPECTED_LOG, `both commands ran, in order, once (${context})`);
      assert.deepEqual(outcome.leftByGuard, [], `nothing is left (${context})`);
      assert.equal(outcome.status, bare, `the status is the kernel's own (${context})`);
    });
  }
});
