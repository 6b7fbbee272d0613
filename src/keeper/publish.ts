// Publishes what a keeper carries out on the channels that tell of cleanups.

import { publishCarryOut } from "../diagnostics/carry-out-channel.ts";
import { builtin } from "../platform/node-builtins.ts";
import type { Carried } from "./carried.ts";
import type { Attempted } from "./owner-run.ts";

/** @param durable by which the recipe is known beyond its owner */
export function publishCarried(name: string, durable: string, attempt: () => Promise<Attempted>): Promise<Attempted> {
  return publishCarryOut(name, durable, attempt, (attempted) => ({
    outcome: attempted.outcome === "done" ? "ok" : "failed",
    why: "error" in attempted ? attempted.error : undefined,
  }));
}

/** Tells subscribers of `atexit:keeper`. */
export function announce(carried: Carried): void {
  builtin("diagnostics_channel").channel("atexit:keeper").publish(carried);
}
