// The README's table of exits is the one that was measured, with all ways out
// that there are.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LIBRARIES } from "../../src/tour/libraries.ts";
import { render, type Results, withTable } from "../../scripts/ways-out-table.ts";
import { unseenWaysOut } from "../../src/tour/unseen-ways-out.ts";
import { waysOut } from "../../src/tour/ways-out.ts";
import { repository } from "../support/package-under-test.ts";

const readme = readFileSync(join(repository, "README.md"), "utf8");
const results = JSON.parse(readFileSync(join(repository, "docs/ways-out.json"), "utf8")) as Results;

test("the README shows the table that was measured", () => {
  assert.equal(withTable(readme, render(results)), readme);
  assert.match(readme, new RegExp(`in ${waysOut.length + unseenWaysOut.length} ways`));
});

test("the table has every way out, and this package gets through them all", () => {
  const { rows } = results;
  const counted = new Map<string, number>();
  for (const { row } of waysOut) counted.set(row, (counted.get(row) ?? 0) + 1);
  assert.deepEqual(new Map(rows.map(({ row, ways }) => [row, ways])), counted);
  for (const { row, ways, scores } of rows) {
    assert.deepEqual(
      scores.map(({ library }) => library),
      LIBRARIES,
    );
    assert.deepEqual(scores[0], { library: "atexit", sync: ways, async: ways }, row);
  }
});

test("and every way out that no program sees", () => {
  const { unseen } = results;
  assert.equal(
    unseen.reduce((sum, { ways }) => sum + ways, 0),
    unseenWaysOut.length,
  );
  for (const { row, ways, scores } of unseen) assert.deepEqual(scores[0], { library: "atexit", cleaned: ways }, row);
});
