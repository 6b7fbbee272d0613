// The program that the documentation has pictures of: its three shutdowns are
// what the pictures say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { environmentOf } from "../cli/support.js";
import { inPlace } from "../durable/support.js";
import { run, statusOf } from "../support/run.js";
import { nodes } from "../support/nodes.js";
import { storiesOf, traceOf } from "./support.js";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

const EXPECTED = {
  good: ["SIGTERM", "ok", ["ok", "ok", "ok", "ok", "ok", "ok", "ok"]],
  slow: ["SIGTERM", "given up", ["ok", "ok", "timed out", "given up", "given up", "ok", "ok"]],
  killed: ["SIGKILL", "cut off", ["ok", "ok", "ok", "cut off", "done by the guard", "never ran", "never ran"]],
} as const;

for (const [how, [status, outcome, rows]] of Object.entries(EXPECTED)) {
  describe(`a ${how} shutdown`, () => {
    for (const { line, path } of nodes) {
      it(`on Node ${line}`, () =>
        inPlace(async (place) => {
          const env = { ...environmentOf(place), ATEXIT_TRACE: traceOf(place) };
          const ended = await run(path, [`${repository}examples/shutdowns.mjs`, how], { env });
          await place.quiet();
          assert.equal(statusOf(ended), status, ended.stderr);
          const [story] = await storiesOf(place, traceOf(place));
          assert.equal(story?.outcome, outcome);
          assert.deepEqual(
            story.rows.map((row) => row.outcome),
            rows,
          );
        }));
    }

    it("has its picture", () => {
      const picture = readFileSync(`${repository}docs/pictures/${how}.svg`, "utf8");
      for (const name of ["http server", "database pool", "worker process"]) assert.ok(picture.includes(name));
      assert.match(
        picture,
        { good: /took \d+ ms/, slow: /given up after/, killed: /done by the guard/ }[how] ?? /never/,
      );
    });
  });
}
