// Every way out that JavaScript can see. Of functions, both run to their end,
// last in, first out, once; the status is bare Node's; the report of an uncaught
// error stands before them. Recipes are carried out in the process, too, and
// when it has ended, no journal is left.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXPECTED_LOG, type Mode } from "../../src/tour/libraries.ts";
import { startAndEnd } from "../../src/tour/start.ts";
import { type WayOut, waysOut } from "../../src/tour/ways-out.ts";
import { isLong } from "../support/long.ts";
import { tourPrograms } from "../support/package-under-test.ts";

const bareStatuses = new Map<WayOut, Promise<string>>();

/** The status of a program without any library. */
function bareStatus(way: WayOut): Promise<string> {
  const known =
    bareStatuses.get(way) ??
    (way.status === undefined
      ? startAndEnd(way, "none", "sync", process.execPath, tourPrograms).then(({ status }) => status)
      : Promise.resolve(way.status));
  bareStatuses.set(way, known);
  return known;
}

/** Ends a program in that way, and checks what holds for cleanups of each kind. */
async function checked(way: WayOut, mode: Mode) {
  const outcome = await startAndEnd(way, "atexit", mode, process.execPath, tourPrograms);
  const context = `${mode}; stderr: ${outcome.stderr.before}<cleanup>${outcome.stderr.after}`;
  assert.deepEqual(outcome.log, EXPECTED_LOG, `both cleanups ran, in order, once (${context})`);
  assert.equal(outcome.status, await bareStatus(way), `the status is bare Node's (${context})`);
  return { ...outcome, context };
}

for (const [what, modes, ways] of [
  ["functions", ["sync", "async"], waysOut],
  ["recipes", ["recipes"], isLong ? waysOut : waysOut.filter((_, n) => n % 3 === 0)],
] as const) {
  describe(`${what} on a way out`, { concurrency: 3 }, () => {
    for (const way of ways) {
      test(`${way.name} (${way.host})`, { skip: way.available?.() === false && "not on this machine" }, async () => {
        for (const mode of modes) {
          const { stderr, left, context } = await checked(way, mode);
          if (mode === "recipes") assert.deepEqual(left, [], `nothing is left (${context})`);
          else if (way.reports !== true) assert.equal(stderr.before, "", `nothing is reported (${context})`);
          else assert.match(stderr.before, /boom|first|EPIPE|undefined|stack|listener/, `reported first (${context})`);
        }
      });
    }
  });
}
