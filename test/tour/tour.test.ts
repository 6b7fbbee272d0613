// atexit tour.

import assert from "node:assert/strict";
import { test } from "node:test";
import { atexit, inPlace } from "../support/place.ts";

test("tour: ends real processes, beside what is installed", () =>
  inPlace(async (place) => {
    const { code, stdout, stderr } = await atexit(place, ["tour", "process.exit twice"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /✓ atexit sync +cleaned: second, then first; status 3 \(bare Node: 3\)/);
    assert.match(stdout, /signal-exit/);
  }));
