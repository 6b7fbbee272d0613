// Every way out that JavaScript can see, on every supported Node: both cleanups
// run to their end, last in, first out, once; the status is bare Node's; the
// report of an uncaught error stands before them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXPECTED_LOG, type Mode } from "../examples/tour/libraries.js";
import { startAndEnd } from "../examples/tour/start.js";
import { waysOut } from "../examples/tour/ways-out.js";
import { nodes } from "./support/nodes.js";

const MODES: readonly Mode[] = ["sync", "async"];

for (const { line, path } of nodes) {
  describe(`Node ${line}`, { concurrency: 3 }, () => {
    for (const way of waysOut) {
      test(`${way.name} (${way.host})`, { skip: way.available?.() === false && "not on this machine" }, async () => {
        const bare = way.status === undefined ? await startAndEnd(way, "none", "sync", path) : undefined;
        for (const mode of MODES) {
          const outcome = await startAndEnd(way, "atexit", mode, path);
          const context = `${mode}; stderr: ${outcome.stderr.before}<cleanup>${outcome.stderr.after}`;
          assert.deepEqual(outcome.log, EXPECTED_LOG, `both cleanups ran, in order, once (${context})`);
          assert.equal(outcome.status, bare?.status ?? way.status, `the status is bare Node's (${context})`);
          if (way.reports === true) {
            assert.match(
              outcome.stderr.before,
              /boom|first|EPIPE|undefined|stack|listener/,
              `reported first (${context})`,
            );
          } else {
            assert.equal(outcome.stderr.before, "", `nothing is reported (${context})`);
          }
        }
      });
    }
  });
}
