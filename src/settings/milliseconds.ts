// Times, as this package takes them.

import { coreError } from "../errors/core.ts";

/** The longest time that a timer can wait: 2^31 - 1 milliseconds, 24.8 days. */
export const LONGEST_TIME = 2 ** 31 - 1;

/** @throws a `RangeError` for a time that is no number of milliseconds a timer can wait */
export function checkTime(what: string, time: unknown): number {
  if (typeof time !== "number" || !(time >= 0) || time > LONGEST_TIME) {
    throw coreError("ERR_ATEXIT_TIME", what, time, LONGEST_TIME);
  }
  return time;
}
