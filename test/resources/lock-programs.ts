// Programs that hold a lock, or try to have it.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LockHeldError } from "../../src/resources/index.ts";
import { inPlace, type Place } from "../support/place.ts";
import { printed } from "../support/run.ts";

/** A place in which this process has journals of its own, as the programs have. */
export const here = (body: (place: Place, lock: string) => Promise<void>) => () =>
  inPlace(async (place) => {
    mkdirSync(join(place.work, "locks"));
    await body(place, join(place.work, "locks", "app.lock"));
  });

export const HOLD = `
  import { lockFile } from "atexit/resources";
  const lock = await lockFile(process.env.WORK + "/locks/app.lock", { wait: 10_000 });
  console.log("held");
`;
export const STAY = `${HOLD} setInterval(() => {}, 1_000);`;

export const TRY = `
  import { lockFile, lockFileSync } from "atexit/resources";
  const path = process.env.WORK + "/locks/app.lock";
  for (const take of [lockFile, lockFileSync]) {
    try {
      (await take(path)).release();
      console.log("taken");
    } catch (error) {
      console.log(JSON.stringify({ name: error.name, message: error.message, ...error }));
    }
  }`;

/** What two attempts of another process give. */
export async function tries(place: Place): Promise<(LockHeldError | "taken")[]> {
  const { stdout, stderr } = await place.run(TRY);
  assert.equal(stderr, "");
  const lines = stdout.split("\n").slice(0, -1);
  return lines.map((line) => (line === "taken" ? line : (JSON.parse(line) as LockHeldError)));
}

/** Without guards: what a killed program leaves stays there until the next one comes. */
export const unguarded = ({ environment }: Place) => ({ ...environment, ATEXIT_GUARD: "off" });

/** Has a holder killed whose guard does nothing; returns what stands in its lock file. */
export async function recordOfKilled(place: Place, then = ""): Promise<Record<string, unknown>> {
  await place.run(`${HOLD}${then}\nprocess.kill(process.pid, "SIGKILL");`, { env: unguarded(place) });
  return recordIn(join(place.work, "locks", "app.lock"));
}

export const recordIn = (lock: string) =>
  JSON.parse(readFileSync(lock, "utf8").split("\n")[0] as string) as Record<string, unknown>;

/** Keeps a program running that has printed `held`, as long as the body takes. */
export async function whileHeld(place: Place, source: string, body: (pid: number) => Promise<void>): Promise<void> {
  await place.run(source, {
    async act(child) {
      await printed(child, "held");
      try {
        await body(child.pid as number);
      } finally {
        child.kill("SIGKILL");
      }
    },
  });
}

export const locksLeft = ({ work }: Place) => readdirSync(join(work, "locks"));
