// Facts about signals, each with its reason. Sources: signal(7),
// https://nodejs.org/api/process.html#signal-events, libuv's uv_signal_t.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";

/**
 * The signals that a POSIX system sends to end a process, and that Windows has as well.
 *
 * - SIGHUP: the terminal was closed
 * - SIGINT: Ctrl-C
 * - SIGTERM: asked to end: kill, docker stop, systemd, Kubernetes
 */
const EVERYWHERE: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGTERM"];

/**
 * - SIGQUIT: Ctrl-\
 * - SIGABRT: from outside; abort() itself still ends the process at once
 * - SIGALRM: alarm(2) by the process that started the program; so SIGVTALRM
 * - SIGXCPU: the soft limit of processor time; the hard one kills
 * - SIGUSR2: nodemon and others ask for a restart with it
 * - SIGTRAP, SIGSYS
 */
const POSIX: readonly NodeJS.Signals[] = [
  "SIGQUIT",
  "SIGABRT",
  "SIGALRM",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGUSR2",
  "SIGTRAP",
  "SIGSYS",
];

/**
 * - SIGIO: its default is to be ignored on the BSDs and macOS
 * - SIGPWR: the power is failing
 * - SIGSTKFLT
 */
const LINUX: readonly NodeJS.Signals[] = ["SIGIO", "SIGPWR", "SIGSTKFLT"];

/** Ctrl-Break. */
const WINDOWS: readonly NodeJS.Signals[] = ["SIGBREAK"];

/** The signals whose default is to end the process, and which may be listened to, on this system. */
export const ENDING_SIGNALS: readonly NodeJS.Signals[] = EVERYWHERE.concat(
  process.platform === "win32" ? WINDOWS : POSIX,
  process.platform === "linux" ? LINUX : [],
);

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

/** The numbers that POSIX gives, so that node:os need not be loaded. Source: POSIX.1-2024, the kill utility. */
const POSIX_NUMBERS: ReadonlyMap<string, number> = new Map([
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGQUIT", 3],
  ["SIGABRT", 6],
  ["SIGALRM", 14],
  ["SIGTERM", 15],
]);

/** Returns the number of a signal on this system, or `undefined` where it has none. */
export function signalNumber(signal: string): number | undefined {
  const known = process.platform === "win32" ? undefined : POSIX_NUMBERS.get(signal);
  return known ?? (builtin("os").constants.signals as Record<string, number>)[signal];
}

/** Reports whether a listener for the signal can be added on this system. */
export function canListen(signal: string): signal is NodeJS.Signals {
  return signalNumber(signal) !== undefined && !REFUSED.has(signal);
}
