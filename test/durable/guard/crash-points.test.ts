// A program and its guard that are killed within moments of each other.

import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inPlaces, recoverIn } from "../../support/place.ts";
import { endIfThere } from "../../support/processes.ts";
import { forEachSideBySide, printed, until } from "../../support/run.ts";
import { assertNothingLeft } from "../crash-points.ts";

describe("a program and its guard that are killed within moments of each other leave nothing that a start does not find", () => {
  /** Makes and removes things until it is killed. */
  const source = `
    import fs from "node:fs";
    import { setImmediate } from "node:timers/promises";
    import { remove } from "atexit/durable";
    const { WORK } = process.env;
    process.stdout.write("ready\\n");
    for (let n = 0; ; n = (n + 1) % 4) {
      const name = ["first", "second", "third", "fourth"][n];
      const registration = remove(WORK + "/" + name);
      fs.mkdirSync(WORK + "/" + name);
      fs.copyFileSync(process.argv[1], WORK + "/" + name + "/file");
      await setImmediate();
      registration.run();
    }`;
  // Where in its life a kill falls is left to the moment: many, spread over a guard's start and a replay.
  const MOMENTS = 40;
  const STEP = 2;
  for (const [name, before, between] of [
    ["the guard first, then its owner", STEP, 0],
    ["the owner first, then its guard", 0, STEP],
  ] as const) {
    test(name, async () => {
      await inPlaces(MOMENTS, async (places) => {
        await forEachSideBySide(places.entries(), 3, async ([moment, place]) => {
          await place.run(source, {
            async act(child) {
              await printed(child, "ready\n");
              await until(() => place.guards().length > 0);
              await sleep(before * moment);
              const guards = place.guards();
              const killGuards = () => guards.forEach(endIfThere);
              if (before > 0) killGuards();
              child.kill("SIGKILL");
              if (between > 0) {
                await sleep(between * moment);
                guards.push(...place.guards());
                killGuards();
              }
            },
          });
          await place.quiet();
        });
        await recoverIn(places);
        for (const [moment, place] of places.entries()) assertNothingLeft(place, `moment ${moment}`, false);
      });
    });
  }
});
