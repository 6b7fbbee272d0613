// How resources are registered: for a function of the face, whose caller is
// what a report names, and not this package's own line.

import { type CleanupOptions, type Registration, thread } from "../index.ts";

/** The function of the face that a program has called. */
export type Callee = (...args: never[]) => unknown;

/** What `register` does, on behalf of `callee`. */
export function registerForCaller<R>(callee: Callee, options: CleanupOptions, fn: () => R): Registration<R> {
  return thread.add(callee, fn, [], options) as unknown as Registration<R>;
}
