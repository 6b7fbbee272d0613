// The way out that was taken.

import { isOutside, SystemExit } from "./system-exit.ts";

/** How a process can come to its end, where JavaScript can see it. */
export type ExitKind = "end" | "exit" | "uncaughtException" | "unhandledRejection" | "signal" | "disconnect" | "parent";

/** The way out that was taken: the reason of the {@link exiting} signal. */
export interface Exit {
  /** How the shutdown began. */
  readonly kind: ExitKind;
  /** The exit code as it stands when the shutdown begins; on a signal 128 + its number, as a shell shows it. */
  readonly code: number;
  /** The signal's name, where `kind` is `"signal"`. */
  readonly signal: NodeJS.Signals | undefined;
  /** What was thrown, or what the promise was rejected with. */
  readonly error: unknown;
}

/**
 * Describes a way out, with what is left out undefined. It is not frozen: `fetch`
 * gives the reason of an aborted signal a stack.
 */
export function describeExit(exit: Pick<Exit, "kind" | "code"> & Partial<Exit>): Exit {
  return { signal: undefined, error: undefined, ...exit };
}

/** Whether it is a {@link SystemExit}, also one from another copy of this package. */
export function isSystemExit(error: unknown): boolean {
  try {
    return error instanceof SystemExit;
  } catch {
    return false; // a revoked proxy
  }
}

/** Whether a cleanup that ended so has failed: not with an exit(n) of its own, nor as work that `exiting` aborted. */
export function isFailure(exit: Exit | undefined, error: unknown): boolean {
  return (!isSystemExit(error) || isOutside(error)) && !isAbortedBy(exit, error);
}

/** Whether work failed because {@link exiting} aborted it: with the exit itself, or with an AbortError for its sake. */
export function isAbortedBy(exit: Exit | undefined, error: unknown): boolean {
  try {
    return exit !== undefined && (error === exit || (error as Error | undefined)?.cause === exit);
  } catch {
    return false; // a revoked proxy, or a getter that throws
  }
}
