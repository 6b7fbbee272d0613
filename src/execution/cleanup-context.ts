// Whether code runs inside a cleanup, its asynchronous continuations included:
// exit() means something else there, and so does waiting for oneself.

import { builtin } from "../platform/node-builtins.ts";
import type { Registration } from "../registry/registration.ts";

/** What a shutdown marks all its cleanups with; one that `run()` began is marked with itself. */
export const SHUTDOWN = Symbol("shutdown");

type Mark = typeof SHUTDOWN | Registration;

/** A cleanup may run another one: the inner one is part of both. */
interface Frame {
  readonly mark: Mark;
  readonly outer: Frame | undefined;
}

/** Loaded when the first cleanup runs, and not before. */
let storage: import("node:async_hooks").AsyncLocalStorage<Frame> | undefined;

/** How many cleanups are marked and have not ended. */
let marked = 0;

/** Runs `body`, and whatever it starts, marked as part of a cleanup. */
export function runMarked<T>(mark: Mark, body: () => T): T {
  storage ??= new (builtin("async_hooks").AsyncLocalStorage)<Frame>();
  marked += 1;
  return storage.run({ mark, outer: storage.getStore() }, body);
}

/** Says that what was marked has ended. On Node 20 and 22 every promise of the program pays for a storage in use. */
export function endMarked(): void {
  marked -= 1;
  if (marked === 0) storage?.disable();
}

/** Returns what this code belongs to, the innermost where one runs another; `undefined` outside of all cleanups. */
export function innermostMark(): Mark | undefined {
  return storage?.getStore()?.mark;
}

/** Whether this code belongs to what was marked so; without an argument, to any cleanup. */
export function isInside(mark?: Mark): boolean {
  let frame = storage?.getStore();
  while (frame !== undefined && mark !== undefined && frame.mark !== mark) frame = frame.outer;
  return frame !== undefined;
}
