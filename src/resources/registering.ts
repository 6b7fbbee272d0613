// How resources are registered: for a function of the face, whose caller is
// what a report names, and not this package's own line.

import { theThread } from "../durable/core.js";
import type { CleanupOptions, Registration } from "../index.js";

/** The function of the face that a program has called. */
export type Callee = (...args: never[]) => unknown;

/** What `register` does, on behalf of `callee`. */
export function registerFor<R>(callee: Callee, options: CleanupOptions, fn: () => R): Registration<R> {
  return theThread().add(callee, fn, [], options) as unknown as Registration<R>;
}
