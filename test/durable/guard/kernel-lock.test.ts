// The kernel lock on a journal that is being carried out: by it those in another pid
// namespace know that somebody does. A guard has it from its owner; a later start takes it.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../../support/place.ts";
import { until } from "../../support/run.ts";

/** Its recipe writes down whether the lock on the claim that it is carried out from can be had. */
const source = `
  import { exec } from "atexit/durable";
  const { ATEXIT_DIR, WORK } = process.env;
  const look = 'for claim in "$0"/*.claim; do flock -n "$claim" echo free || echo held; done >"$1"';
  exec("sh", ["-c", look, ATEXIT_DIR, WORK + "/told"]);`;

const told = (place: Place) => readFileSync(join(place.work, "told"), "utf8");

function isLocked({ journals }: Place): boolean {
  const journal = readdirSync(journals).find((name) => name.endsWith(".jsonl"));
  return journal !== undefined && readFileSync(join(journals, journal), "utf8").includes('{"locked":true}');
}

describe("the kernel lock on a journal that is being carried out", () => {
  test("is held where a guard does", () =>
    inPlace(async (place) => {
      await place.run(`${source}\nsetInterval(() => {}, 1_000);`, {
        async act(child) {
          await until(() => isLocked(place));
          child.kill("SIGKILL");
        },
      });
      await place.quiet();
      assert.equal(told(place), "held\n");
    }));

  test("is held where a later start does", () =>
    inPlace(async (place) => {
      await place.run(`${source}\nprocess.kill(process.pid, "SIGKILL");`, { env: { ATEXIT_GUARD: "off" } });
      await place.recover();
      assert.equal(told(place), "held\n");
    }));
});
