// The program that the documentation has pictures of: its three shutdowns are
// what the pictures say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { join } from "node:path";
import { examplesDirectory, repository } from "../support/package-under-test.ts";
import { storiesOf, traceOf } from "../support/trace.ts";
import { inPlace } from "../support/place.ts";
import { run, statusOf } from "../support/run.ts";

const EXPECTED = {
  good: ["SIGTERM", "ok", ["ok", "ok", "ok", "ok", "ok", "ok", "ok"]],
  slow: ["SIGTERM", "given up", ["ok", "ok", "timed out", "given up", "given up", "ok", "ok"]],
  killed: ["SIGKILL", "cut off", ["ok", "ok", "ok", "cut off", "done by the guard", "never ran", "never ran"]],
} as const;

for (const [how, [status, outcome, rows]] of Object.entries(EXPECTED)) {
  describe(`a ${how} shutdown`, () => {
    it("ends as it is told", () =>
      inPlace(async (place) => {
        const env = { ...place.environment, ATEXIT_TRACE: traceOf(place) };
        const ended = await run(process.execPath, [join(examplesDirectory(), "shutdowns.mjs"), how], { env });
        await place.quiet();
        assert.equal(statusOf(ended), status, ended.stderr);
        const [story] = await storiesOf(place, traceOf(place));
        assert.equal(story?.outcome, outcome);
        assert.deepEqual(
          story.rows.map((row) => row.outcome),
          rows,
        );
      }));

    it("has its picture", () => {
      const picture = readFileSync(join(repository, "docs/pictures", `${how}.svg`), "utf8");
      for (const name of ["http server", "database pool", "worker process"]) assert.ok(picture.includes(name));
      assert.match(
        picture,
        { good: /took \d+ ms/, slow: /given up after/, killed: /done by the guard/ }[how] ?? /never/,
      );
    });
  });
}
