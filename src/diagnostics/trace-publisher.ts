// Tells subscribers of a shutdown and of each cleanup, as they go on.

import { builtin, now, timeOfDay } from "../platform/node-builtins.ts";
import { placeOf } from "../registry/call-site.ts";
import { type Exit, isFailure } from "../registry/exit-reason.ts";
import type { Outcome } from "../registry/outcome.ts";
import { outcomeWhenAbandoned, type Registration, type RegistrationStack } from "../registry/registration.ts";
import type { TracedCleanup, TracedShutdown } from "./trace-types.ts";

type Channel<T extends object> = import("node:diagnostics_channel").TracingChannel<unknown, T>;

/** How far the events of a cleanup have come. */
interface TraceEntry {
  readonly cleanup: TracedCleanup;
  /** Whether its `end` was published, and an `asyncEnd` is next. */
  returned: boolean;
}

/** Publishes on both channels. */
export class TracePublisher {
  readonly #shutdowns: Channel<TracedShutdown>;
  readonly #cleanups: Channel<TracedCleanup>;
  #shutdown: TracedShutdown | undefined;
  #shutdownReturned = false;
  /** Those of the queue, and those that have begun. */
  readonly #entries = new Map<Registration, TraceEntry>();

  constructor() {
    const { tracingChannel } = builtin("diagnostics_channel");
    this.#shutdowns = tracingChannel("atexit:shutdown");
    this.#cleanups = tracingChannel("atexit:cleanup");
  }

  get hasCleanupSubscribers(): boolean {
    return this.#cleanups.hasSubscribers;
  }

  get isInShutdown(): boolean {
    return this.#shutdown !== undefined;
  }

  /** Runs the first, synchronous part of a shutdown. */
  beginShutdown<T>(exit: Exit, deadline: number, grace: number, stack: RegistrationStack, body: () => T): T {
    const queue: TracedCleanup[] = [];
    const shutdown: TracedShutdown = { exit, deadline: sinceEpoch(deadline), grace, queue, outcome: undefined };
    this.#shutdown = shutdown;
    this.#shutdownReturned = false;
    for (let at = stack.newest; at !== undefined; at = at.older as Registration | undefined) {
      const { cleanup } = this.#entryOf(at);
      cleanup.shutdown = shutdown;
      queue.push(cleanup);
    }
    try {
      return this.#shutdowns.start.runStores(shutdown, body);
    } finally {
      if (this.#shutdown === shutdown) this.#shutdowns.end.publish(shutdown);
      this.#shutdownReturned = true;
    }
  }

  /** Says that the shutdown is over. */
  endShutdown(outcome: NonNullable<TracedShutdown["outcome"]>): void {
    const shutdown = this.#shutdown;
    if (shutdown === undefined) return;
    for (const [registration, { cleanup }] of this.#entries) {
      if (cleanup.startedAt !== undefined) this.giveUp(registration, outcomeWhenAbandoned(registration));
    }
    this.#entries.clear();
    shutdown.outcome = outcome;
    this.#shutdown = undefined;
    if (this.#shutdownReturned) this.#shutdowns.asyncStart.publish(shutdown);
    this.#shutdowns[this.#shutdownReturned ? "asyncEnd" : "end"].publish(shutdown);
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
    const entry = this.#entryOf(registration);
    const { cleanup } = entry;
    if (outer !== undefined) cleanup.within = this.#entries.get(outer)?.cleanup;
    cleanup.startedAt = sinceEpoch(now());
    if (limit !== undefined) cleanup.deadline = cleanup.startedAt + limit;
    try {
      return this.#cleanups.start.runStores(cleanup, body);
    } catch (error) {
      this.#fail(cleanup, error);
      throw error;
    } finally {
      entry.returned = true;
    }
  }

  /** Says that the call has returned: with its end, or with a promise of it. */
  returned(registration: Registration, promise: Promise<unknown> | undefined): void {
    const entry = this.#entries.get(registration);
    if (entry === undefined) return;
    const { cleanup } = entry;
    if (promise === undefined) cleanup.outcome ??= "ok";
    this.#cleanups.end.publish(cleanup);
    if (promise === undefined) {
      this.#entries.delete(registration);
      return;
    }
    const settled = () => this.#settle(registration, entry, "ok");
    promise.then(settled, (error: unknown) => {
      if (this.#entries.get(registration) === entry) this.#fail(cleanup, error);
      settled();
    });
  }

  /** Says that the cleanup is no longer waited for. */
  giveUp(registration: Registration, outcome: Outcome): void {
    const entry = this.#entries.get(registration);
    if (entry !== undefined) this.#settle(registration, entry, outcome);
  }

  #settle(registration: Registration, entry: TraceEntry, outcome: Outcome): void {
    if (this.#entries.get(registration) !== entry) return;
    this.#entries.delete(registration);
    entry.cleanup.outcome ??= outcome;
    if (entry.returned) this.#cleanups.asyncStart.publish(entry.cleanup);
    this.#cleanups[entry.returned ? "asyncEnd" : "end"].publish(entry.cleanup);
  }

  #fail(cleanup: TracedCleanup, error: unknown): void {
    if (!isFailure(this.#shutdown?.exit, error)) return;
    cleanup.outcome = "failed";
    cleanup.error = error;
    this.#cleanups.error.publish(cleanup);
  }

  #entryOf(registration: Registration): TraceEntry {
    let entry = this.#entries.get(registration);
    if (entry === undefined) {
      entry = { cleanup: describe(registration, this.#shutdown), returned: false };
      this.#entries.set(registration, entry);
    }
    return entry;
  }
}

function describe(registration: Registration, shutdown: TracedShutdown | undefined): TracedCleanup {
  return {
    name: registration.title,
    site: placeOf(registration.site),
    startedAt: undefined,
    deadline: undefined,
    durable: registration.durable,
    within: undefined,
    shutdown,
    outcome: undefined,
    error: undefined,
  };
}

/** Turns a reading of now() into milliseconds since 1970. */
function sinceEpoch(at: number): number {
  return timeOfDay() - now() + at;
}
