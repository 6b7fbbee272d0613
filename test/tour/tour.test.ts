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

test("tour: of what SIGKILL has ended, nobody says that it did not end", () =>
  inPlace(async (place) => {
    const { code, stdout, stderr } = await atexit(place, ["tour", "SIGKILL"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /✓ atexit recipes +cleaned: second, then first; .*status SIGKILL/);
    assert.match(stdout, /signal-exit +sync: not cleaned, status SIGKILL/);
    assert.doesNotMatch(stdout, /did not end/);
  }));
