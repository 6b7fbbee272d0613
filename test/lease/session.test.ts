// When a session says that others may take its owner for dead: not before, and once.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Adapter } from "../../src/lease/adapter.ts";
import { realClock } from "../../src/lease/clock.ts";
import { Session } from "../../src/lease/session.ts";

const TTL = 400;

const adapter = (beat: () => Promise<number | "dead">): Adapter => ({
  begin: () => Promise.resolve(TTL),
  beat,
  acquire: () => Promise.resolve("refused"),
  cancel: () => Promise.resolve(true),
  release: () => Promise.resolve(),
  finish: () => Promise.resolve(),
});

for (const [what, beat] of [
  ["by time, where no heartbeat is answered", () => Promise.reject(new Error("no answer"))],
  ["by the engine's word", () => Promise.resolve("dead" as const)],
] as const) {
  it(`an owner is lost ${what}, and not when it begins`, async () => {
    const options = { engine: "the tests", ttl: TTL, margin: undefined, died: () => {} };
    const session = new Session(adapter(beat), realClock, options);
    let calls = 0;
    const lost = new Promise<void>((resolve) => {
      session.onLost(() => {
        calls += 1;
        resolve();
      });
    });
    await session.send(() => Promise.resolve());
    session.look();
    assert.equal(calls, 0);
    // Its own timers keep no process alive.
    const wait = setInterval(() => {}, 1_000);
    await lost.finally(() => clearInterval(wait));
    await session.finish();
    assert.equal(calls, 1);
  });
}
