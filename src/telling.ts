// Tells subscribers of a shutdown and of each cleanup, as they go on.

import { now } from "./builtin.js";
import { placeOf } from "./call-site.js";
import type { Open, Outcome, TracedCleanup, TracedShutdown } from "./channels.js";
import ending from "./ending.js" with { type: "late" };
import type { Exit } from "./exit.js";
import { type Registration, type RegistrationStack, unfinished } from "./registration.js";

export default function telling(to: Open): Telling {
  return new Telling(to);
}

/** How far the events of a cleanup have come. */
interface Told {
  readonly cleanup: TracedCleanup;
  /** Whether its `end` was told, and an `asyncEnd` is next. */
  returned: boolean;
}

/** Tells the subscribers of both channels. */
export class Telling {
  readonly #to: Open;
  #shutdown: TracedShutdown | undefined;
  #shutdownReturned = false;
  /** Those of the queue, and those that have begun. */
  readonly #told = new Map<Registration, Told>();

  constructor(to: Open) {
    this.#to = to;
  }

  get isInShutdown(): boolean {
    return this.#shutdown !== undefined;
  }

  /** Runs the first, synchronous part of a shutdown. */
  begin<T>(exit: Exit, deadline: number, grace: number, stack: RegistrationStack, body: () => T): T {
    const queue: TracedCleanup[] = [];
    const shutdown: TracedShutdown = { exit, deadline: sinceEpoch(deadline), grace, queue, outcome: undefined };
    this.#shutdown = shutdown;
    this.#shutdownReturned = false;
    for (let at = stack.newest; at !== undefined; at = at.older as Registration | undefined) {
      const { cleanup } = this.#toldOf(at);
      cleanup.shutdown = shutdown;
      queue.push(cleanup);
    }
    try {
      return this.#to.shutdowns.start.runStores(shutdown, body);
    } finally {
      if (this.#shutdown === shutdown) this.#to.shutdowns.end.publish(shutdown);
      this.#shutdownReturned = true;
    }
  }

  /** The shutdown is over. */
  end(outcome: NonNullable<TracedShutdown["outcome"]>): void {
    const shutdown = this.#shutdown;
    if (shutdown === undefined) return;
    for (const [registration, { cleanup }] of this.#told) {
      if (cleanup.startedAt !== undefined) this.giveUp(registration, unfinished(registration));
    }
    this.#told.clear();
    shutdown.outcome = outcome;
    this.#shutdown = undefined;
    if (this.#shutdownReturned) this.#to.shutdowns.asyncStart.publish(shutdown);
    this.#to.shutdowns[this.#shutdownReturned ? "asyncEnd" : "end"].publish(shutdown);
  }

  /**
   * Calls a cleanup.
   *
   * @param limit how long it has, in milliseconds
   * @param outer the cleanup that runs it
   */
  call(
    registration: Registration,
    limit: number | undefined,
    outer: Registration | undefined,
    body: () => unknown,
  ): unknown {
    const told = this.#toldOf(registration);
    const { cleanup } = told;
    if (outer !== undefined) cleanup.within = this.#told.get(outer)?.cleanup;
    cleanup.startedAt = sinceEpoch(now());
    if (limit !== undefined) cleanup.deadline = cleanup.startedAt + limit;
    try {
      return this.#to.cleanups.start.runStores(cleanup, body);
    } catch (error) {
      this.#fail(cleanup, error);
      throw error;
    } finally {
      told.returned = true;
    }
  }

  /** Its call has returned: with its end, or with a promise of it. */
  returned(registration: Registration, promise: Promise<unknown> | undefined): void {
    const told = this.#told.get(registration);
    if (told === undefined) return;
    const { cleanup } = told;
    if (promise === undefined) cleanup.outcome ??= "ok";
    this.#to.cleanups.end.publish(cleanup);
    if (promise === undefined) {
      this.#told.delete(registration);
      return;
    }
    const settled = () => this.#settle(registration, told, "ok");
    promise.then(settled, (error: unknown) => {
      if (this.#told.get(registration) === told) this.#fail(cleanup, error);
      settled();
    });
  }

  /** Nobody waits for it any longer, nor for its end. */
  giveUp(registration: Registration, outcome: Outcome): void {
    const told = this.#told.get(registration);
    if (told === undefined) return;
    this.#settle(registration, told, outcome);
  }

  #settle(registration: Registration, told: Told, outcome: Outcome): void {
    if (this.#told.get(registration) !== told) return;
    this.#told.delete(registration);
    told.cleanup.outcome ??= outcome;
    if (told.returned) this.#to.cleanups.asyncStart.publish(told.cleanup);
    this.#to.cleanups[told.returned ? "asyncEnd" : "end"].publish(told.cleanup);
  }

  #fail(cleanup: TracedCleanup, error: unknown): void {
    if (!ending().isFailure(this.#shutdown?.exit, error)) return;
    cleanup.outcome = "failed";
    cleanup.error = error;
    this.#to.cleanups.error.publish(cleanup);
  }

  #toldOf(registration: Registration): Told {
    let told = this.#told.get(registration);
    if (told === undefined) {
      told = { cleanup: describe(registration, this.#shutdown), returned: false };
      this.#told.set(registration, told);
    }
    return told;
  }
}

function describe(registration: Registration, shutdown: TracedShutdown | undefined): TracedCleanup {
  return {
    name: registration.title,
    site: placeOf(registration.about?.site),
    startedAt: undefined,
    deadline: undefined,
    durable: registration.about?.durable,
    within: undefined,
    shutdown,
    outcome: undefined,
    error: undefined,
  };
}

/** A reading of now(), in milliseconds since 1970. */
function sinceEpoch(at: number): number {
  return Date.now() - now() + at;
}
