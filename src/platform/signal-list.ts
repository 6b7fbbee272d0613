// Facts about signals, each with its reason. Sources: signal(7),
// https://nodejs.org/api/process.html#signal-events, libuv's uv_signal_t.

import { builtin } from "./node-builtins.ts";
import { systemExits } from "./this-system.ts";

/** The signals whose default is to end the process, and which may be listened to, on this system. */
export const ENDING_SIGNALS = systemExits.endingSignals;

// Left out, though their default ends a process as well:
//   SIGKILL    cannot be caught
//   SIGUSR1    Node starts its debugger on it
//   SIGPIPE, SIGXFSZ    Node ignores them, so they end nothing
//   SIGPROF    V8's profiler needs it: a listener would stop the profiler and
//              be called at each of its samples
//   SIGILL, SIGBUS, SIGFPE, SIGSEGV    come from a fault at the current
//              instruction, which would be run again, and fault again, for ever
//   SIGIOT, SIGPOLL    are other names of SIGABRT and SIGIO

/** The signals that no program can listen to: libuv refuses them. */
const REFUSED = new Set<string>(["SIGKILL", "SIGSTOP"]);

/** Returns the number of a signal on this system, or `undefined` where it has none. */
export function signalNumber(signal: string): number | undefined {
  return systemExits.signalNumbers.get(signal) ?? (builtin("os").constants.signals as Record<string, number>)[signal];
}

/** Reports whether a listener for the signal can be added on this system. */
export function canListen(signal: string): signal is NodeJS.Signals {
  return signalNumber(signal) !== undefined && !REFUSED.has(signal);
}
