// A kill can fall anywhere: at each change that a program makes to its journal.
// After recovery nothing is left, and nothing was done but what was registered.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inPlace, inPlaces, recoverIn } from "../../support/place.ts";
import { forEachSideBySide } from "../../support/run.ts";
import { assertNothingLeft, pointsOf, PRELOAD } from "../crash-points.ts";

const NO_GUARD = { ATEXIT_GUARD: "off" };

/** Everything that happens to a journal: it begins, grows, is made shorter, becomes empty, begins again. */
const PROGRAM = `
  import fs from "node:fs";
  import { exec, remove } from "atexit/durable";
  const { WORK } = process.env;
  // Registered before it is made: at no moment is there one that nobody would remove.
  const make = (name) => {
    const registration = remove(WORK + "/" + name);
    fs.mkdirSync(WORK + "/" + name);
    fs.copyFileSync(process.argv[1], WORK + "/" + name + "/file");
    return registration;
  };
  make("first").run();
  make("second");
  const kept = make("kept");
  kept.cancel();
  fs.mkdirSync(WORK + "/kept was cancelled");
  const long = "x".repeat(40_000);
  for (let times = 0; times < 3; times += 1) exec("true", [long]).cancel(); // and the journal is made shorter
  make("third").run();
  make("fourth");
`;

describe("a program that is killed at each change of its journal leaves nothing behind", () => {
  for (const [name, how, env] of [
    ["with its guard", "before", {}],
    ["without one", "before", NO_GUARD],
    ["without one, and half of the change was made", "torn", NO_GUARD],
  ] as const) {
    test(name, async () => {
      const points = await inPlace((place) => pointsOf(place, PROGRAM, env));
      assert.ok(points > 30, `there are ${points} points`);
      await inPlaces(points, async (places) => {
        await forEachSideBySide(places.entries(), 3, async ([at, place]) => {
          const { signal } = await place.run(PROGRAM, {
            nodeOptions: ["--import", PRELOAD],
            env: { KILL_AT: String(at + 1), KILL: how, ...env },
          });
          assert.equal(signal, "SIGKILL", `killed at ${at + 1} of ${points}`);
          await place.quiet();
        });
        await recoverIn(places);
        for (const [at, place] of places.entries()) {
          assertNothingLeft(place, `killed at ${at + 1} of ${points}`, env !== NO_GUARD);
        }
      });
    });
  }
});
