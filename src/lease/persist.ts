// How a guard gives leases back: the engine may be away, as it may be for any request.

import { now } from "../platform/node-builtins.ts";
import { sleep } from "../platform/wait.ts";

/** A called function has ten seconds, in milliseconds. After them the leases are free by time. */
const WITHIN = 8_000;
const PAUSE = 200;

/** Tries until it is done; rejects with the last failure when the time is over. */
export async function persist(attempt: () => Promise<void>): Promise<void> {
  for (const end = now() + WITHIN; ;) {
    try {
      return await attempt();
    } catch (error) {
      if (now() > end) throw error;
    }
    await sleep(PAUSE);
  }
}
