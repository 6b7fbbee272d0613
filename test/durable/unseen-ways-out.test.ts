// Every way out that no program sees, on every supported Node: all recipes are
// carried out by the guard, last in, first out, and nothing is left behind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXPECTED_LOG } from "../../examples/tour/libraries.js";
import { startAndEnd } from "../../examples/tour/start.js";
import { unseenWaysOut } from "../../examples/tour/unseen-ways-out.js";
import { nodes } from "../support/nodes.js";

for (const { line, path } of nodes) {
  describe(`Node ${line}`, { concurrency: 2 }, () => {
    for (const way of unseenWaysOut) {
      test(`${way.name} (${way.host})`, async () => {
        const bare = way.status ?? (await startAndEnd(way, "none", "recipes", path)).status;
        const outcome = await startAndEnd(way, "atexit", "recipes", path);
        const context = `stderr: ${outcome.stderr.before}`;
        assert.deepEqual(outcome.log, EXPECTED_LOG, `both commands ran, in order, once (${context})`);
        assert.deepEqual(outcome.leftByGuard, [], `nothing is left (${context})`);
        assert.equal(outcome.status, bare, `the status is the kernel's own (${context})`);
      });
    }
  });
}
