// How one cleanup runs: by its handle, by run(), or in a shutdown.

import { channelsOf } from "./channels.js";
import { endOf, innermost, insideOf, isInside, SHUTDOWN } from "./context.js";
import { beside, Registration, type RegistrationStack } from "./registration.js";
import type { Shutdown } from "./shutdown.js";

/** What the handle's `run()` does. */
export function run(registration: Registration): unknown {
  if (registration.state === "gone") return undefined;
  if (registration.state === "running")
    return isRunningHere(registration) ? Promise.resolve() : registration.about?.ending;
  const { stack } = Registration;
  const outer = channelsOf(stack).look() ? outerOf(stack) : undefined;
  try {
    return insideOf(registration, () => start(registration, undefined, outer));
  } finally {
    const ending = registration.about?.ending;
    if (ending === undefined) endOf();
    else void ending.then(endOf);
  }
}

/**
 * Calls the cleanup, in whatever context this is. It leaves the stack when it
 * has ended, its promise included.
 *
 * @param limit how long a shutdown gives it, in milliseconds
 * @param outer the cleanup that runs it, for those who look
 * @returns what the cleanup returns
 * @throws what the cleanup throws
 */
export function start(registration: Registration, limit?: number, outer?: Registration): unknown {
  const { stack } = Registration;
  registration.state = "running";
  stack.running += 1;
  const { telling } = channelsOf(stack);
  let result: unknown;
  let promised: boolean;
  try {
    const isWatched = telling !== undefined;
    result = isWatched ? telling.call(registration, limit, outer, () => call(registration)) : call(registration);
    promised = isPromise(result);
  } catch (error) {
    telling?.returned(registration, undefined);
    abandon(registration);
    throw error;
  }
  if (!promised) {
    telling?.returned(registration, undefined);
    abandon(registration);
    return result;
  }
  const promise = Promise.resolve(result);
  telling?.returned(registration, promise);
  const ended = () => abandon(registration);
  registration.about = beside(registration.about, { ending: promise.then(ended, ended) });
  // A promise of its own for the caller: a rejection that the caller ignores must not pass for handled.
  return promise.then((value) => value);
}

/** Whether a cleanup's result has to be waited for. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

function call({ fn, args }: Registration): unknown {
  return (fn as (...args: readonly unknown[]) => unknown)(...args);
}

/** Takes it out of the stack: it has ended, or nobody waits for it any longer. */
export function abandon(registration: Registration): void {
  const { stack } = Registration;
  if (registration.state === "running") stack.running -= 1;
  registration.state = "gone";
  stack.remove(registration);
}

/** Whether this code is part of this very cleanup: to wait for its end here would be to wait for ever. */
function isRunningHere(registration: Registration): boolean {
  return isInside(registration) || (Registration.stack.current === registration && isInside(SHUTDOWN));
}

/** The cleanup that this code is part of. */
function outerOf(stack: RegistrationStack): Registration | undefined {
  const mark = innermost();
  return mark === SHUTDOWN ? stack.current : (mark as Registration | undefined);
}

/** What the package's `run()` does: all cleanups, until there is none, or a shutdown takes them over. */
export function runAll(stack: RegistrationStack, shutdown: Shutdown): void | Promise<void> {
  const errors: unknown[] = [];
  const going = runEach(stack, shutdown, errors);
  return going === undefined ? throwAll(errors) : going.then(() => throwAll(errors));
}

/** Goes on asynchronously after the first promise. */
function runEach(stack: RegistrationStack, shutdown: Shutdown, errors: unknown[]): Promise<void> | undefined {
  for (let cleanup = next(stack); cleanup !== undefined && !shutdown.running; cleanup = next(stack)) {
    let result: unknown;
    try {
      result = run(cleanup);
    } catch (error) {
      errors.push(error);
    }
    if (isPromise(result)) {
      return Promise.resolve(result)
        .then(undefined, (error) => void errors.push(error))
        .then(() => runEach(stack, shutdown, errors));
    }
  }
  return undefined;
}

/** The newest that can be run or waited for: not one that this very call is a part of. */
function next(stack: RegistrationStack): Registration | undefined {
  let at = stack.newest;
  while (at !== undefined && at.state === "running" && (at.about?.ending === undefined || isRunningHere(at))) {
    at = at.older as Registration | undefined;
  }
  return at;
}

/** @throws the one error, or an `AggregateError` of many */
function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} cleanups failed`);
}
