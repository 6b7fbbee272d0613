// Waiting that blocks nobody, by Node's own timers and clock.

import { now, setTimeout } from "./node-builtins.ts";

/** Resolves after so many milliseconds. */
export function sleep(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

/** Reports whether a condition comes true within so many milliseconds; asks less often as time goes on. */
export async function until(isSo: () => boolean, limit: number): Promise<boolean> {
  const end = now() + limit;
  for (let pause = 2; !isSo(); pause = Math.min(pause * 1.5, 50)) {
    if (now() >= end) return false;
    await sleep(Math.min(pause, Math.max(1, end - now())));
  }
  return true;
}
