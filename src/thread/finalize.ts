// Python's weakref.finalize: a cleanup for when an object is collected, or at
// exit, whichever comes first, which does not keep the object alive itself.

import { coreError } from "../errors/core.ts";
import { isPromise } from "../execution/run-cleanup.ts";
import { settle } from "../registry/call-site.ts";
import { isSystemExit } from "../registry/exit-reason.ts";
import type { Registration } from "../registry/registration.ts";
import type { AnyFunction } from "../registry/stack.ts";

let registry: FinalizationRegistry<Registration> | undefined;

type Report = (registration: Registration, error: unknown) => void;

/** Runs the cleanup of a collected object. There is no caller who could catch its error: it is reported. */
function runCollected(registration: Registration, report: Report): void {
  // A cleanup that calls process.exit() is left by an error that is none.
  const failed = (error: unknown) => isSystemExit(error) || report(registration, error);
  try {
    const result = registration.run();
    if (isPromise(result)) result.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

/**
 * Registers a cleanup for the end of an object.
 *
 * @param register registers the cleanup, with its arguments, for the exit
 * @param report reports its failure
 * @throws a `TypeError` for what cannot be collected, or would be kept alive
 */
export function finalize(
  register: (fn: AnyFunction) => Registration,
  report: Report,
  object: unknown,
  fn: unknown,
  args: readonly unknown[],
): Registration {
  if ((typeof object !== "object" || object === null) && typeof object !== "function") {
    throw coreError("ERR_ATEXIT_NOT_AN_OBJECT", object);
  }
  if (typeof fn !== "function") throw coreError("ERR_ATEXIT_NOT_A_FUNCTION", fn);
  if (fn === object || args.includes(object)) throw coreError("ERR_ATEXIT_KEEPS_ALIVE");
  const registration = register(fn as AnyFunction);
  settle(registration.site);
  registry ??= new FinalizationRegistry((collected) => runCollected(collected, report));
  registry.register(object, registration);
  return registration;
}
