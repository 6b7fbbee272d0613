// Publishes the recipes that this process carries out for a dead one on the
// channels that tell of cleanups.

import { builtin, timeOfDay } from "../../platform/node-builtins.ts";
import type { TracedCleanup } from "../../diagnostics/trace-types.ts";
import type { Replayed } from "./replayed.ts";

/** @param durable by which the recipe is known beyond its owner */
export async function publishReplay(
  name: string,
  durable: string,
  attempt: () => Promise<Replayed>,
): Promise<Replayed> {
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
  const replayed = await going;
  const isDone = replayed.outcome === "done" || replayed.outcome === "gone";
  cleanup.outcome = isDone ? "done at the next start" : "failed";
  if (!isDone) {
    cleanup.error = new Error(replayed.why ?? replayed.outcome);
    channel.error.publish(cleanup);
  }
  channel.asyncStart.publish(cleanup);
  channel.asyncEnd.publish(cleanup);
  return replayed;
}
