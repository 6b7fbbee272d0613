// Python's weakref.finalize: a cleanup for when an object is collected, or at
// exit, whichever comes first, which does not keep the object alive itself.

import ending from "./ending.js" with { type: "late" };
import { settle } from "./call-site.js";
import failure from "./errors.js" with { type: "late" };
import type { Registration } from "./registration.js";
import said from "./said.js" with { type: "late" };
import type { AnyFunction } from "./stack.js";
import type { Thread } from "./thread.js";

/** Calls cleanups of collected objects. There is no caller who could catch their errors: they are reported. */
const registry = new FinalizationRegistry((registration: Registration) => {
  try {
    const result = registration.run();
    if (ending().isPromise(result)) result.then(undefined, (error) => reportUnlessExit(registration, error));
  } catch (error) {
    reportUnlessExit(registration, error);
  }
});

/** A cleanup that calls process.exit() is left by an error that is none. */
function reportUnlessExit(registration: Registration, error: unknown): void {
  if (!ending().isSystemExit(error)) said().reportFailure(registration, error);
}

export function finalizeIn(
  thread: Thread,
  callee: AnyFunction,
  object: unknown,
  fn: unknown,
  args: readonly unknown[],
): Registration {
  if ((typeof object !== "object" || object === null) && typeof object !== "function") {
    throw failure("ERR_ATEXIT_NOT_AN_OBJECT", object);
  }
  if (typeof fn !== "function") throw failure("ERR_ATEXIT_NOT_A_FUNCTION", fn);
  if (fn === object || args.includes(object)) throw failure("ERR_ATEXIT_KEEPS_ALIVE");
  const registration = thread.register(callee, fn, args);
  settle(registration.about?.site);
  registry.register(object, registration);
  return registration;
}
