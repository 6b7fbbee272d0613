// A kill can fall anywhere: at each change that a replay makes to a journal. The
// next one goes on with it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, inPlaces, type Place, recoverIn } from "../../support/place.ts";
import { forEachSideBySide, linesOf } from "../../support/run.ts";
import { assertNothingLeft, pointsOf, PRELOAD } from "../crash-points.ts";

const NO_GUARD = { ATEXIT_GUARD: "off" };

/** What a killed process leaves behind, with no guard to carry it out. */
const KILLED = `
  import fs from "node:fs";
  import { exec, remove } from "atexit/durable";
  const { WORK } = process.env;
  for (const name of ["first", "second"]) {
    fs.mkdirSync(WORK + "/" + name);
    fs.writeFileSync(WORK + "/" + name + "/file", "");
    remove(WORK + "/" + name);
    exec("/bin/sh", ["-c", 'echo "$1" >>"$2"', "sh", name, WORK + "/trace"]);
  }
  process.kill(process.pid, "SIGKILL");`;

const REPLAY = 'import { recover } from "atexit/durable"; await recover();';

async function leaveBehind(place: Place): Promise<void> {
  const { signal } = await place.run(KILLED, { env: NO_GUARD });
  assert.equal(signal, "SIGKILL");
}

describe("a replay that is killed at each of its changes is itself replayed", () => {
  for (const [name, how] of [
    ["killed before the change", "before"],
    ["killed when half of it was made", "torn"],
  ] as const) {
    test(name, async () => {
      const points = await inPlace(async (place) => {
        await leaveBehind(place);
        return pointsOf(place, REPLAY);
      });
      assert.ok(points > 15, `there are ${points} points`);
      await inPlaces(points, async (places) => {
        await forEachSideBySide(places.entries(), 3, async ([at, place]) => {
          await leaveBehind(place);
          mkdirSync(join(place.work, "precious"));
          writeFileSync(join(place.work, "precious", "file"), "");
          await place.run(REPLAY, {
            nodeOptions: ["--import", PRELOAD],
            env: { KILL_AT: String(at + 1), KILL: how },
          });
        });
        await recoverIn(places);
        for (const [at, place] of places.entries()) {
          const context = `killed at ${at + 1} of ${points}`;
          assert.deepEqual([...new Set(linesOf(join(place.work, "trace")))], ["second", "first"], context);
          assertNothingLeft(place, context);
          assert.ok(existsSync(join(place.work, "precious", "file")), context);
        }
      });
    });
  }
});
