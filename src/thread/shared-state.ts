// One stack for each thread, whichever copy of this package is asked: several
// versions may be installed in one program, and their cleanups have one order.

import type { Exit } from "../registry/exit-reason.ts";
import type { DurableCleanupOptions, Registration } from "../registry/registration.ts";
import type { AnyFunction } from "../registry/stack.ts";
import type { Settings } from "../settings/settings.ts";
import { stateHolder } from "../platform/process.ts";

/**
 * Where the copies of this package in one thread find its state. The number
 * rises when copies can no longer work on one another's.
 */
const KEY = Symbol.for("atexit.thread.1");

/**
 * What other copies of this package may use of a thread's state, whatever
 * version made it. `callee` is the public function that the program has called:
 * reports name its caller.
 */
export interface SharedThreadV1 {
  /** Fires when a shutdown begins; its reason is the way out. */
  readonly exiting: AbortSignal & { readonly reason: Exit | undefined };
  /** How many cleanups are registered and have not begun. */
  readonly count: number;
  /** Does what `register` promises: `first` are the options, or the function. */
  register(callee: AnyFunction, first: unknown, rest: readonly unknown[]): Registration;
  /** Registers what is known to be right. The options are kept as they are. */
  add(
    callee: AnyFunction,
    fn: AnyFunction,
    args: readonly unknown[],
    options: DurableCleanupOptions | undefined,
  ): Registration;
  finalize(callee: AnyFunction, object: unknown, fn: unknown, args: readonly unknown[]): Registration;
  unregister(callee: AnyFunction, fn: unknown): void;
  clear(): void;
  run(): void | Promise<void>;
  configure(callee: AnyFunction, given: Partial<Settings>): Settings;
  exit(callee: AnyFunction, code: unknown): never;
  exitNow(callee: AnyFunction, code: unknown): never;
  /** Does what `exit()` does, for the sake of a parent that is gone. */
  exitWithParent(): never;
}

/** Returns this thread's state, made by the first copy that is loaded. */
export function sharedThread(make: () => SharedThreadV1): SharedThreadV1 {
  const holder = stateHolder as { [KEY]?: SharedThreadV1 };
  if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { value: make() });
  return holder[KEY] as SharedThreadV1;
}
