// Recipes on every way out that JavaScript can see: carried out in process, in
// order, once; and when the process has ended, no journal is left.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXPECTED_LOG } from "../../examples/tour/libraries.js";
import { startAndEnd } from "../../examples/tour/start.js";
import { waysOut } from "../../examples/tour/ways-out.js";
import { nodes } from "../support/nodes.js";

for (const { line, path } of nodes) {
  describe(`Node ${line}`, { concurrency: 3 }, () => {
    for (const way of waysOut) {
      test(`${way.name} (${way.host})`, { skip: way.available?.() === false && "not on this machine" }, async () => {
        const bare = way.status ?? (await startAndEnd(way, "none", "sync", path)).status;
        const outcome = await startAndEnd(way, "atexit", "recipes", path);
        const context = `stderr: ${outcome.stderr.before}`;
        assert.deepEqual(outcome.log, EXPECTED_LOG, `both commands ran, in order, once (${context})`);
        assert.equal(outcome.status, bare, `the status is bare Node's (${context})`);
        assert.deepEqual(outcome.left, [], `nothing is left (${context})`);
      });
    }
  });
}
