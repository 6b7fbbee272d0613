// What all ways out have in common.

import type { RegistrationStack } from "../registration.js";
import type { Settings } from "../settings.js";
import type { Shutdown } from "../shutdown.js";

/** What a way out needs to know of its thread. */
export interface Leaving {
  readonly stack: RegistrationStack;
  readonly settings: Settings;
  readonly shutdown: Shutdown;
  /** Ends the process as `process.exit(code)` does without this package. */
  exitNow(code: number): never;
  /** What `process.exitCode` was when the shutdown began: the first code wins. */
  exitCode: typeof process.exitCode;
  /** Whether the IPC channel to the parent is closing, or closed. */
  parent: "connected" | "disconnecting" | "disconnected";
  /** Set while a library that was sent a signal is about to call `process.exit(code)` for it. */
  announcedSignal: { signal: NodeJS.Signals; code: number } | undefined;
}

/**
 * Stands between an event of `process` and its listeners.
 *
 * @param emit passes the event on, and returns whether it had listeners
 * @param args what the event carries
 * @returns whether it had listeners, as far as Node is to know
 */
export type Hook = (emit: () => boolean, args: readonly unknown[]) => boolean;

/** The events of `process` that tell of a way out. */
export const HOOKED_EVENTS = [
  "beforeExit",
  "disconnect",
  "exit",
  "rejectionHandled",
  "uncaughtException",
  "uncaughtExceptionMonitor",
  "unhandledRejection",
  "warning",
] as const;

export type HookedEvent = (typeof HOOKED_EVENTS)[number];

/** One way out of a process, by the events of `process` that tell of it. */
export interface WayOut {
  readonly hooks: Readonly<Partial<Record<HookedEvent, Hook>>>;
}

/** One that has something of its own to listen to, while anything is registered. */
export interface Standing {
  watch(): void;
  unwatch(): void;
}
