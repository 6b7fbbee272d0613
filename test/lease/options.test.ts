// What lease() and lead() refuse before they ask the engine.

import assert from "node:assert/strict";
import { it } from "node:test";
import { type Engine, lead, lease } from "../../src/lease/index.ts";

const engine = { take: () => assert.fail("the engine was asked") } as unknown as Engine;

for (const [what, given, options, message] of [
  ["a controller for a signal", engine, { signal: new AbortController() }, /^signal must be an AbortSignal/],
  ["null for a signal", engine, { signal: null }, /^signal must be an AbortSignal/],
  ["no engine", undefined, {}, /^The engine must be/],
] as const) {
  it(`${what} is refused by lease(), and by lead() at once, in words that say so`, async () => {
    const error = { name: "TypeError", code: "ERR_ATEXIT_OPTION", message };
    await assert.rejects(lease(given as never, "a name", options as never), error);
    assert.throws(() => lead(given as never, "a name", () => {}, options as never), error);
  });
}
