// Runs one cleanup: by its handle, by run(), or in a shutdown.

import type { Channels } from "../diagnostics/channels.ts";
import { callCleanup } from "../registry/call-cleanup.ts";
import type { Registration, RegistrationStack } from "../registry/registration.ts";
import { endMarked, innermostMark, isInside, runMarked, SHUTDOWN } from "./cleanup-context.ts";

/** Runs the cleanups of one thread, and knows which are running. */
export class CleanupRunner {
  /** How many cleanups are running: they are still in the stack, since those below wait for them. */
  running = 0;
  /** The cleanup that a shutdown has called last, until the shutdown is done with it. */
  current: Registration | undefined;
  readonly stack: RegistrationStack;
  readonly #channels: Channels;

  constructor(stack: RegistrationStack, channels: Channels) {
    this.stack = stack;
    this.#channels = channels;
  }

  /** Does what the handle's `run()` promises. */
  run(registration: Registration): unknown {
    if (registration.state === "gone") return undefined;
    if (registration.state === "running") {
      return this.#isRunningHere(registration) ? Promise.resolve() : registration.ended;
    }
    const outer = this.#channels.checkSubscribers() === undefined ? undefined : this.#outerCleanup();
    try {
      return runMarked(registration, () => this.call(registration, undefined, outer));
    } finally {
      if (registration.ended === undefined) endMarked();
      else void registration.ended.then(endMarked);
    }
  }

  /**
   * Calls the cleanup, which leaves the stack when it has ended, its promise included.
   *
   * @param limit how long a shutdown gives it, in milliseconds
   * @param outer the cleanup that runs it, for subscribers
   */
  call(registration: Registration, limit?: number, outer?: Registration): unknown {
    registration.state = "running";
    this.running += 1;
    const { publisher } = this.#channels;
    let promise: Promise<unknown> | undefined;
    try {
      const result =
        publisher === undefined
          ? callCleanup(registration)
          : publisher.call(registration, limit, outer, () => callCleanup(registration));
      if (!isPromise(result)) return result;
      promise = Promise.resolve(result);
    } finally {
      publisher?.returned(registration, promise);
      if (promise === undefined) this.abandon(registration);
    }
    const ended = () => this.abandon(registration);
    registration.ended = promise.then(ended, ended);
    // A promise of its own for the caller: a rejection that the caller ignores must not pass for handled.
    return promise.then((value) => value);
  }

  /** Takes the cleanup out of the stack, when it has ended or is no longer waited for. */
  abandon(registration: Registration): void {
    if (registration.state === "running") this.running -= 1;
    registration.state = "gone";
    this.stack.remove(registration);
  }

  /** Runs all cleanups, until there is none, or a shutdown takes them over. */
  runAll(isEnding: () => boolean): void | Promise<void> {
    const errors: unknown[] = [];
    const rest = this.#runEach(isEnding, errors);
    return rest === undefined ? throwAll(errors) : rest.then(() => throwAll(errors));
  }

  /** Goes on asynchronously after the first promise. */
  #runEach(isEnding: () => boolean, errors: unknown[]): Promise<void> | undefined {
    for (let cleanup = this.#next(); cleanup !== undefined && !isEnding(); cleanup = this.#next()) {
      let result: unknown;
      try {
        result = this.run(cleanup);
      } catch (error) {
        errors.push(error);
      }
      if (isPromise(result)) {
        return Promise.resolve(result)
          .then(undefined, (error: unknown) => void errors.push(error))
          .then(() => this.#runEach(isEnding, errors));
      }
    }
    return undefined;
  }

  /** Returns the newest cleanup that can be run or waited for, and that this call is not a part of. */
  #next(): Registration | undefined {
    let at = this.stack.newest;
    while (at?.state === "running" && (at.ended === undefined || this.#isRunningHere(at))) {
      at = at.older as Registration | undefined;
    }
    return at;
  }

  /** Whether this code is part of this very cleanup: to wait for its end here would be to wait for ever. */
  #isRunningHere(registration: Registration): boolean {
    return isInside(registration) || (this.current === registration && isInside(SHUTDOWN));
  }

  /** Returns the cleanup that this code is part of. */
  #outerCleanup(): Registration | undefined {
    const mark = innermostMark();
    return mark === SHUTDOWN ? this.current : mark;
  }
}

/** Whether a cleanup's result has to be waited for. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/** @throws the one error, or an `AggregateError` of many */
function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} cleanups failed`);
}
