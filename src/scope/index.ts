// The public API of `atexit/scope`: cleanups as a group, and work that a shutdown
// waits for.

/// <reference lib="esnext.disposable" preserve="true" />

import { beginAt } from "../errors/define-errors.ts";
import { scopeError } from "../errors/scope.ts";
import { thread } from "../index.ts";
import { CleanupScope } from "./scope.ts";

export type { ScopeErrorCode } from "../errors/scope.ts";

/** A group of cleanups; its methods have the names of `AsyncDisposableStack` where that has one. */
export type Scope = CleanupScope;

/**
 * Makes a group of cleanups, which end together: with `await using`, with `run()`, or
 * at exit, each in its own place among all others.
 *
 * @param name what reports call it, before the names of its cleanups
 * @throws a `TypeError` with the code `ERR_ATEXIT_SCOPE_NAME`
 * @example
 * ```js
 * import { scope } from "atexit/scope";
 *
 * await using tests = scope("tests");
 * tests.register(() => console.log("database dropped"));
 * tests.defer(async () => console.log("server closed"));
 * ```
 */
export function scope(name: string): Scope {
  return new CleanupScope(checkName(scope, name));
}

/** Work that a shutdown waits for. */
export interface Busy extends Disposable, AsyncDisposable {
  /** Says that the work is done; a second call does nothing. */
  end(): void;
}

/**
 * Has a shutdown wait for work that is no cleanup: until it is done, or the grace
 * period is over. What the work uses is registered before it, and so ends after it.
 *
 * @param name what reports call it
 * @param options how long it is waited for, in milliseconds
 * @throws a `TypeError` with the code `ERR_ATEXIT_SCOPE_NAME`
 * @example
 * ```js
 * import { busy } from "atexit/scope";
 *
 * await using work = busy("import 42");
 * console.log("rows written, also where a signal comes meanwhile");
 * ```
 */
export function busy(name: string, options: { timeout?: number } = {}): Busy {
  let done = () => {};
  const ended = new Promise<void>((resolve) => {
    done = resolve;
  });
  const registration = thread.register(busy, { ...options, name: checkName(busy, name) }, [() => ended]);
  const end = () => {
    done();
    registration.cancel();
  };
  return { end, [Symbol.dispose]: end, [Symbol.asyncDispose]: async () => end() };
}

function checkName(callee: (...args: never[]) => unknown, name: unknown): string {
  if (typeof name === "string" && name !== "") return name;
  throw beginAt(callee, scopeError("ERR_ATEXIT_SCOPE_NAME", name));
}
