// Publishes the recipes that this process carries out for a dead one on the
// channels that tell of cleanups.

import { publishCarryOut } from "../../diagnostics/carry-out-channel.ts";
import type { Replayed } from "./replayed.ts";

/** @param durable by which the recipe is known beyond its owner */
export function publishReplay(name: string, durable: string, attempt: () => Promise<Replayed>): Promise<Replayed> {
  return publishCarryOut(name, durable, attempt, ({ outcome, why }) =>
    outcome === "done" || outcome === "gone"
      ? { outcome: "done at the next start" }
      : { outcome: "failed", why: why ?? outcome },
  );
}
