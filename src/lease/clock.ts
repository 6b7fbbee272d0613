// The clock of this part: the tests put a virtual one in its place.

import { clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { nowAcrossSuspend } from "../platform/suspend-clock.ts";

export interface Clock {
  /** Milliseconds, on a clock that never jumps back and goes on during suspend. */
  now(): number;
  /**
   * Calls `fn` after so many milliseconds.
   *
   * @param keepsAlive whether the event loop waits for it: for what somebody awaits, and not for heartbeats
   * @returns a function that stops it
   */
  after(ms: number, fn: () => void, keepsAlive: boolean): () => void;
  /** A number from 0 to 1, to spread those that would ask at the same moment. */
  random(): number;
}

export const realClock: Clock = {
  now: nowAcrossSuspend,
  after(ms, fn, keepsAlive) {
    const timer = setTimeout(fn, ms);
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  },
  random: Math.random,
};
