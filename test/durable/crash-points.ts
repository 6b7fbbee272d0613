// The points at which a process can be killed, and what must not be left then.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Place } from "../support/place.ts";

/** Kills a program into which it is loaded first: see there. */
export const PRELOAD = import.meta.resolve(`./kill-at${extname(import.meta.url)}`);

/** How many points the program has at which it can be killed. */
export async function pointsOf(place: Place, source: string, env: Record<string, string> = {}): Promise<number> {
  const count = join(place.work, "count");
  const ended = await place.run(source, { nodeOptions: ["--import", PRELOAD], env: { COUNT: count, ...env } });
  assert.equal(ended.code, 0, ended.stderr);
  return Number(readFileSync(count, "utf8"));
}

/** @param isWatched whether a guard saw the end: else what was made in the last moments cannot be told from what is younger */
export function assertNothingLeft(place: Place, context: string, isWatched = true): void {
  const left = readdirSync(place.work);
  const made = left.filter((name) => ["first", "second", "third", "fourth"].includes(name));
  const told =
    made.length === 0
      ? []
      : place.log().filter(({ why }) => why?.includes("younger than the last sign of life") === true);
  const untold = made.filter((name) => !told.some(({ title }) => title.endsWith(`/${name}`)));
  assert.deepEqual(isWatched ? made : untold, [], `nothing is left (${context})`);
  assert.ok(made.length < 2, `nothing but what was made in the last moments is left (${context})`);
  if (left.includes("kept was cancelled")) assert.ok(left.includes("kept"), `what was cancelled is kept (${context})`);
  assert.deepEqual(place.left(), [], `no journal is left (${context})`);
}
