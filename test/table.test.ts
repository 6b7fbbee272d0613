// The README's table of exits is the one that was measured, with all ways out
// that there are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIBRARIES } from "../examples/tour/libraries.js";
import { readReadme, readResults, render, withTable } from "../examples/tour/table.js";
import { unseenWaysOut } from "../examples/tour/unseen-ways-out.js";
import { waysOut } from "../examples/tour/ways-out.js";

test("the README shows the table that was measured", () => {
  assert.equal(withTable(readReadme(), render(readResults())), readReadme());
  assert.match(readReadme(), new RegExp(`in ${waysOut.length + unseenWaysOut.length} ways`));
});

test("the table has every way out, and this package gets through them all", () => {
  const { rows } = readResults();
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
  const { unseen } = readResults();
  assert.equal(
    unseen.reduce((sum, { ways }) => sum + ways, 0),
    unseenWaysOut.length,
  );
  for (const { row, ways, scores } of unseen) assert.deepEqual(scores[0], { library: "atexit", cleaned: ways }, row);
});
