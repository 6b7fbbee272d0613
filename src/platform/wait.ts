// Waiting that blocks nobody, by Node's own timers and clock.

import { onAbort } from "./abort-signal.ts";
import { clearTimeout, now, setTimeout } from "./node-builtins.ts";

/** Resolves after so many milliseconds. */
export function sleep(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

/**
 * Waits to be woken, for so many milliseconds at most; with `Infinity`, for as long as it takes.
 *
 * @param listen given what wakes it
 * @returns whether it was woken
 * @throws (rejects with) the signal's reason
 */
export async function woken(
  limit: number,
  signal: AbortSignal | undefined,
  listen: (wake: () => void) => void,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let stopListening: (() => void) | undefined;
  const isWoken = await new Promise<boolean>((resolve) => {
    listen(() => resolve(true));
    if (limit !== Number.POSITIVE_INFINITY) timer = setTimeout(resolve, limit, false);
    stopListening = signal && onAbort(signal, () => resolve(false));
  });
  clearTimeout(timer);
  stopListening?.();
  signal?.throwIfAborted();
  return isWoken;
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
