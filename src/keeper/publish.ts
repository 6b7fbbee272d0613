// Publishes what a keeper carries out on the channels that tell of cleanups.

import type { TracedCleanup } from "../diagnostics/trace-types.ts";
import { builtin, timeOfDay } from "../platform/node-builtins.ts";
import type { Carried } from "./carried.ts";
import type { Attempted } from "./owner-run.ts";

/** @param durable by which the recipe is known beyond its owner */
export async function publishCarried(
  name: string,
  durable: string,
  attempt: () => Promise<Attempted>,
): Promise<Attempted> {
  const channel = builtin("diagnostics_channel").tracingChannel<unknown, TracedCleanup>("atexit:cleanup");
  if (!channel.hasSubscribers) return attempt();
  const cleanup: TracedCleanup = {
    name,
    site: undefined,
    startedAt: timeOfDay(),
    deadline: undefined,
    durable,
    within: undefined,
    shutdown: undefined,
    outcome: undefined,
    error: undefined,
  };
  const going = channel.start.runStores(cleanup, attempt);
  channel.end.publish(cleanup);
  const attempted = await going;
  cleanup.outcome = attempted.outcome === "done" ? "ok" : "failed";
  if ("error" in attempted) {
    cleanup.error = new Error(attempted.error);
    channel.error.publish(cleanup);
  }
  channel.asyncStart.publish(cleanup);
  channel.asyncEnd.publish(cleanup);
  return attempted;
}

/** Tells subscribers of `atexit:keeper`. */
export function announce(carried: Carried): void {
  builtin("diagnostics_channel").channel("atexit:keeper").publish(carried);
}
