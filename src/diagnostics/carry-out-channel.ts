// Publishes what is carried out for another process on the channels that tell of
// cleanups.

import { builtin, timeOfDay } from "../platform/node-builtins.ts";
import type { TracedCleanup } from "./trace-types.ts";

/** How an attempt has ended, for subscribers. */
export interface CarryOutEnd {
  readonly outcome: NonNullable<TracedCleanup["outcome"]>;
  /** Why it has failed, if it has. */
  readonly why?: string | undefined;
}

/**
 * @param durable by which the recipe is known beyond its owner
 * @param endOf tells what subscribers are told of the attempt's result
 */
export async function publishCarryOut<T>(
  name: string,
  durable: string,
  attempt: () => Promise<T>,
  endOf: (result: T) => CarryOutEnd,
): Promise<T> {
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
  const result = await going;
  const { outcome, why } = endOf(result);
  cleanup.outcome = outcome;
  if (why !== undefined) {
    cleanup.error = new Error(why);
    channel.error.publish(cleanup);
  }
  channel.asyncStart.publish(cleanup);
  channel.asyncEnd.publish(cleanup);
  return result;
}
