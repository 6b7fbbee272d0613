// What all ways out have in common.

import type { Shutdown } from "../execution/shutdown.ts";
import type { RegistrationStack } from "../registry/registration.ts";
import type { Settings } from "../settings/settings.ts";

/** What a way out needs to know of its thread. */
export interface ExitContext {
  readonly stack: RegistrationStack;
  readonly settings: Settings;
  readonly shutdown: Shutdown;
  /** Ends the process as `process.exit(code)` does without this package. */
  endProcess(code: number): never;
}

/**
 * Stands between an event of `process` and its listeners.
 *
 * @param emit passes the event on, with other arguments where they are given, and returns whether it had listeners
 * @param args what the event carries
 * @returns whether it had listeners, as far as Node is to know
 */
export type EmitInterceptor = (emit: (...args: unknown[]) => boolean, args: readonly unknown[]) => boolean;

/** The events of `process` that tell of a way out. */
export const INTERCEPTED_EVENTS = [
  "beforeExit",
  "disconnect",
  "exit",
  "rejectionHandled",
  "uncaughtException",
  "uncaughtExceptionMonitor",
  "unhandledRejection",
  "warning",
] as const;

export type InterceptedEvent = (typeof INTERCEPTED_EVENTS)[number];

/** One way out of a process. */
export interface ExitHandler {
  /** Its interceptors, by the events of `process` that tell of it. */
  readonly intercepts?: Readonly<Partial<Record<InterceptedEvent, EmitInterceptor>>>;
  /** Begins to listen to signals or messages; called with the first registration. */
  install?(): void;
  /** Stops listening; called when nothing is registered any more. */
  uninstall?(): void;
}
