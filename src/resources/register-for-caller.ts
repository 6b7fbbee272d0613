// Registers a resource for a function of the public API: a report names the line
// that called that function, and not a line of this package.

import { type CleanupOptions, type Registration, thread } from "../index.ts";

/** The function of the public API that a program has called. */
export type Callee = (...args: never[]) => unknown;

/** Registers a cleanup as `register` does, on behalf of `callee`. */
export function registerForCaller<R>(callee: Callee, options: CleanupOptions, fn: () => R): Registration<R> {
  return thread.add(callee, fn, [], options) as unknown as Registration<R>;
}
