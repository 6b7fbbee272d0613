// A clock that goes on while the machine is suspended. Node's own stand still
// then: they read CLOCK_MONOTONIC. The system's uptime is CLOCK_BOOTTIME on Linux.
// Sources: clock_gettime(2), proc_uptime(5).

import { builtin, now } from "./node-builtins.ts";

/** Uptime is told in steps of 10 ms, and read at another moment: less than this is no suspend, in milliseconds. */
const NOISE = 50;

const { uptime } = builtin("os");

const aheadAtFirst = ahead();
let suspended = 0;

/** Returns the time on a clock that never jumps back, and goes on during suspend, in milliseconds. Takes 10 µs. */
export function nowAcrossSuspend(): number {
  const difference = ahead() - aheadAtFirst;
  if (difference > suspended + NOISE) suspended = difference;
  return now() + suspended;
}

function ahead(): number {
  return uptime() * 1_000 - now();
}
