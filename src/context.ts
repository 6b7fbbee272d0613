// Whether code runs inside a cleanup, its asynchronous continuations included:
// exit() means something else there, and so does waiting for oneself.

import { builtin } from "./builtin.js";
import type { Entry } from "./stack.js";

/** What a shutdown marks all its cleanups with; one that `run()` began is marked with itself. */
export const SHUTDOWN = Symbol("shutdown");

type Mark = typeof SHUTDOWN | Entry;

/** AsyncLocalStorage has a price, for the import and for every promise after it: only once a cleanup runs. */
let storage: import("node:async_hooks").AsyncLocalStorage<Mark> | undefined;

/** Runs `body`, and whatever it starts, marked as part of a cleanup. */
export function insideOf<T>(mark: Mark, body: () => T): T {
  storage ??= new (builtin("async_hooks").AsyncLocalStorage)<Mark>();
  return storage.run(mark, body);
}

/** The mark of the cleanup that this code belongs to, if it belongs to one. */
export function cleanupMark(): Mark | undefined {
  return storage?.getStore();
}
