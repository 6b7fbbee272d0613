// Facts about other exit libraries, so that no two of them wait for each other. A
// listener of theirs is no decision of the program.

import { ENDING_SIGNALS } from "../platform/signal-list.ts";
import { PROCESS_EXIT_FILE } from "./node-internals.ts";
import { process } from "../platform/process.ts";
import { stackFrames } from "../platform/stack-frames.ts";

type AnyListener = (...args: never[]) => unknown;

/**
 * How many of a signal's listeners belong to signal-exit 3 and 4, which waits
 * until no other library listens, then ends the process by the signal. Both publish
 * the number.
 */
export function waitingListeners(signal: NodeJS.Signals): number {
  if (!WATCHED_BY_SIGNAL_EXIT.has(signal)) return 0;
  const version4 = (globalThis as Record<symbol, { count?: unknown } | undefined>)[Symbol.for("signal-exit emitter")];
  const version3 = (process as { __signal_exit_emitter__?: { count?: unknown } }).__signal_exit_emitter__;
  return countOf(version4) + countOf(version3);
}

const WATCHED_BY_SIGNAL_EXIT: ReadonlySet<string> = new Set(
  ENDING_SIGNALS.concat("SIGXFSZ").filter((signal) => signal !== "SIGBREAK"),
);

function countOf(emitter: { count?: unknown } | undefined): number {
  return typeof emitter?.count === "number" ? emitter.count : 0;
}

/**
 * Whether the listener belongs to a library that runs its hooks on a signal and
 * then calls `process.exit(128 + number)`: its exit is that signal's.
 */
export function exitsForSignal(listener: AnyListener): boolean {
  return isAsyncExitHook(listener) || isExitHook(listener);
}

/** async-exit-hook 2 keeps its filters for each event. */
function isAsyncExitHook(listener: AnyListener): boolean {
  return sourceOf(listener).includes("eventFilters[i].apply(this, arguments)");
}

/** exit-hook 2 to 5 binds one function called `exit` for each event, and listens to PM2's message. */
function isExitHook(listener: AnyListener): boolean {
  return (
    listener.name === "bound exit" &&
    process.listeners("exit").some((other) => other.name === "bound exit") &&
    process.listeners("message").some(decidesOnShutdownMessage)
  );
}

/** Sentry's whole listener: what does more is a program's own. */
const SENTRYS = /^async \(\) => \{\s*(?:\/\/.*\s*)*await [\w$]+\??\.flush\(200\);\s*\}$/;

/**
 * Whether the listener belongs to a library that sends off what it has collected,
 * and leaves it to others to end the process: the `register` of OpenTelemetry's
 * auto-instrumentations, and Sentry's on Vercel.
 */
export function onlyFlushes(listener: AnyListener): boolean {
  const source = sourceOf(listener);
  return source.includes("OpenTelemetry SDK terminated") || SENTRYS.test(source);
}

/** Whether a `message` listener itself acts on PM2's `shutdown`. */
export function decidesOnShutdownMessage(listener: AnyListener): boolean {
  return sourceOf(listener).includes("shutdown") || isAsyncExitHook(listener);
}

/** oclif, whose last act is process.exit(), in a `try` whose `catch` prints once more what it has told already. */
const REPORTERS = /[\\/]node_modules[\\/]@oclif[\\/]core[\\/]lib[\\/]errors[\\/]/;

/** Whether the caller of the process.exit() that is going on would print something because of a SystemExit. */
export function isCalledByReporter(): boolean {
  const frames = stackFrames(20);
  const exit = frames.findIndex((line) => line.includes(PROCESS_EXIT_FILE));
  const caller = frames.slice(exit + 1).find((line) => !line.includes("(node:"));
  return exit !== -1 && caller !== undefined && REPORTERS.test(caller);
}

function sourceOf(listener: AnyListener): string {
  return Function.prototype.toString.call(listener);
}
