// The face of the package: what users import, and nothing else.

/// <reference lib="esnext.disposable" preserve="true" />

import type { Exit } from "./registry/exit-reason.ts";
import type { CleanupOptions } from "./registry/registration.ts";
import type { CleanupReport, Settings } from "./settings/settings.ts";
import { type SharedThreadV1, sharedThread } from "./thread/shared-state.ts";
import { ThreadState } from "./thread/thread-state.ts";

export type { TracedCleanup, TracedShutdown } from "./diagnostics/trace-types.ts";
export type { Outcome } from "./registry/outcome.ts";
export type { ErrorCode } from "./errors/core.ts";
export type { Exit, ExitKind } from "./registry/exit-reason.ts";
export { SystemExit } from "./registry/system-exit.ts";
export type { CleanupOptions, CleanupReport, Settings };

/**
 * This thread's state, on which the other entry points stand.
 *
 * @internal
 */
export const thread: SharedThreadV1 = sharedThread(() => new ThreadState());

/**
 * The handle of a registered cleanup. It is disposable: `await using` runs the
 * cleanup at the end of the scope, or at exit if that comes first; `using` does
 * so for a cleanup that returns no promise.
 *
 * @typeParam R what the cleanup returns
 */
export type Registration<R = unknown> = Handle<R> &
  AsyncDisposable &
  (unknown extends R ? unknown : Extract<R, PromiseLike<unknown>> extends never ? Disposable : unknown);

interface Handle<R> {
  /**
   * Runs the cleanup now; it will not happen again at exit.
   *
   * @returns what the cleanup returns; where it is running already, a promise
   *   of its end; where it has ended or was cancelled, `undefined`
   * @throws what the cleanup throws; if it is asynchronous, the promise rejects
   */
  run(): R | undefined;

  /**
   * Forgets the cleanup.
   *
   * @returns `false` where it has begun or was cancelled already
   */
  cancel(): boolean;
}

/**
 * Registers a cleanup with a name and a timeout of its own.
 *
 * @param options the name that reports give it, and how long to wait for its promise, in milliseconds
 * @example
 * ```js
 * import { register } from "atexit";
 *
 * const pool = { end: async () => {} };
 * register({ name: "db", timeout: 2_000 }, () => pool.end());
 * ```
 */
export function register<A extends readonly unknown[], R>(
  options: CleanupOptions,
  fn: (...args: A) => R,
  ...args: A
): Registration<R>;
/**
 * Registers a cleanup: a function and its arguments, called when the process
 * ends, however it ends, last registered first.
 *
 * The arguments are captured now. A cleanup that returns a promise is awaited,
 * within the grace period, before the one below it is called. In a worker
 * thread it is the end of that thread that counts.
 *
 * @typeParam A the function's parameters
 * @typeParam R what the function returns
 * @param fn the cleanup
 * @param args its arguments
 * @returns a handle, to run the cleanup earlier or to cancel it
 * @throws a `TypeError` with the code `ERR_ATEXIT_NOT_A_FUNCTION`; a
 *   `RangeError` with the code `ERR_ATEXIT_TIME` for a timeout that is none
 * @example
 * ```js
 * import { register } from "atexit";
 * import { rmSync, writeFileSync } from "node:fs";
 *
 * writeFileSync("scratch.txt", "");
 * register(rmSync, "scratch.txt", { force: true });
 * ```
 */
export function register<A extends readonly unknown[], R>(fn: (...args: A) => R, ...args: A): Registration<R>;
export function register(first: unknown, ...rest: unknown[]): Registration {
  return thread.register(register, first, rest);
}

/**
 * Cancels every registration of a function. A function that was never
 * registered is no error.
 *
 * @param fn the function, as it was given to {@link register}
 * @throws a `TypeError` with the code `ERR_ATEXIT_NOT_A_FUNCTION`
 * @example
 * ```js
 * import { register, unregister } from "atexit";
 *
 * const release = (name) => console.log(`released ${name}`);
 * register(release, "a");
 * register(release, "b");
 * unregister(release);
 * ```
 */
export function unregister(fn: (...args: never[]) => unknown): void {
  thread.unregister(unregister, fn);
}

/**
 * Registers a cleanup that runs when an object is garbage-collected, or at
 * exit, whichever comes first; Python's `weakref.finalize`.
 *
 * It does not keep the object alive, and neither may the function nor the
 * arguments: pass what the cleanup needs, not the object.
 *
 * @param object whose end is waited for
 * @param fn the cleanup
 * @param args its arguments
 * @returns a handle, as {@link register} does
 * @throws a `TypeError` with the code `ERR_ATEXIT_NOT_AN_OBJECT`,
 *   `ERR_ATEXIT_NOT_A_FUNCTION`, or `ERR_ATEXIT_KEEPS_ALIVE` where the object is
 *   one of the arguments
 * @example
 * ```js
 * import { finalize } from "atexit";
 * import { closeSync, openSync } from "node:fs";
 *
 * const file = { fd: openSync("/dev/null") };
 * finalize(file, closeSync, file.fd);
 * ```
 */
export function finalize<A extends readonly unknown[], R>(
  object: object,
  fn: (...args: A) => R,
  ...args: A
): Registration<R>;
export function finalize(object: object, fn: unknown, ...args: unknown[]): Registration {
  return thread.finalize(finalize, object, fn, args);
}

/**
 * Ends the process, as Python's `sys.exit()`: cleanups run, then the exit code
 * is `code`. The same as `process.exit(code)`, with the code checked.
 *
 * Called inside a cleanup it changes the exit code and ends that cleanup.
 *
 * @param code an integer from 0 to 255; by default `process.exitCode`, or 0
 * @throws {@link SystemExit}, to unwind its caller, while there is something to
 *   wait for; a `RangeError` with the code `ERR_ATEXIT_EXIT_CODE`
 * @example
 * ```js
 * import { exit, register } from "atexit";
 *
 * register(() => console.log("cleaned up"));
 * exit(3);
 * ```
 */
export function exit(code?: number): never {
  return thread.exit(exit, code);
}

/**
 * Ends the process at once: no cleanup is called any more, and none is waited for.
 * What a second Ctrl-C does, from wherever the program is. Recipes that were not
 * carried out are left to the guard.
 *
 * @param code an integer from 0 to 255; by default `process.exitCode`, or 0
 * @throws a `RangeError` with the code `ERR_ATEXIT_EXIT_CODE`
 * @example
 * ```js
 * import { exitNow, register } from "atexit";
 *
 * register(() => console.log("never"));
 * exitNow(1);
 * ```
 */
export function exitNow(code?: number): never {
  return thread.exitNow(exitNow, code);
}

/**
 * Fires when a shutdown begins, before the first cleanup; its `reason` is the
 * {@link Exit}. Nothing is watched for its sake: it fires where a cleanup is
 * registered, or {@link exit} is called.
 *
 * @example
 * ```js
 * import { exit, exiting } from "atexit";
 *
 * exiting.addEventListener("abort", () => console.log(exiting.reason.kind, exiting.reason.code));
 * exit(3);
 * ```
 */
export const exiting: ExitingSignal = thread.exiting;

/** An `AbortSignal` whose reason, once it has fired, is the way out that was taken. */
export interface ExitingSignal extends AbortSignal {
  readonly reason: Exit | undefined;
}

/**
 * Runs every cleanup now, last registered first; Python's
 * `atexit._run_exitfuncs()`. It stops taking from the stack when a shutdown
 * begins.
 *
 * @returns a promise as soon as a cleanup returns one
 * @throws what a cleanup throws, when all have run; an `AggregateError` where
 *   several have failed
 * @example
 * ```js
 * import { register, run } from "atexit";
 *
 * register(() => console.log("second"));
 * register(async () => console.log("first"));
 * await run();
 * ```
 */
export function run(): void | Promise<void> {
  return thread.run();
}

/**
 * Cancels every cleanup that has not begun; Python's `atexit._clear()`.
 *
 * @example
 * ```js
 * import { clear, register } from "atexit";
 *
 * register(() => console.log("never"));
 * clear();
 * ```
 */
export function clear(): void {
  thread.clear();
}

/**
 * How many cleanups are registered and have not begun; Python's
 * `atexit._ncallbacks()`.
 *
 * @example
 * ```js
 * import { count, register } from "atexit";
 *
 * register(() => {});
 * console.log(count()); // 1
 * ```
 */
export function count(): number {
  return thread.count;
}

/**
 * Changes what holds for all cleanups of this thread. An operator's environment
 * variables (`ATEXIT_GRACE=30s`) stand over it.
 *
 * @param settings what to change; times in milliseconds
 * @returns all settings, as they are now
 * @throws a `TypeError` or `RangeError` with the code `ERR_ATEXIT_OPTIONS`,
 *   `ERR_ATEXIT_TIME` or `ERR_ATEXIT_SIGNAL`
 * @example
 * ```js
 * import { configure } from "atexit";
 *
 * configure({ grace: 5_000, signals: ["SIGTERM", "SIGINT"] });
 * ```
 */
export function configure(settings: Partial<Settings>): Settings {
  return thread.configure(configure, settings);
}
