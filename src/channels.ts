// What a shutdown tells whoever looks, on two tracing channels of
// node:diagnostics_channel: `atexit:shutdown` and `atexit:cleanup`. Where nobody
// looks it is one question for a whole shutdown.
// Source: https://nodejs.org/api/diagnostics_channel.html#class-tracingchannel

import { builtin, now } from "./builtin.js";
import { placeOf } from "./call-site.js";
import { type Exit, isFailure } from "./exit.js";
import type { Registration, RegistrationStack } from "./registration.js";

/**
 * What became of a cleanup: `timed out`: it had its time; `given up`: the
 * shutdown had none left, or was told a second time to end; `left to the guard`:
 * the same of a durable cleanup, which another process carries out; `done at the
 * next start`: this process has carried it out for one that had died.
 */
export type Outcome = "ok" | "failed" | "timed out" | "given up" | "left to the guard" | "done at the next start";

/** A cleanup, as the subscribers of `tracing:atexit:cleanup:*` are given it: one object at all its events. */
export interface TracedCleanup {
  /** What reports call it. */
  readonly name: string;
  /** Where it was registered, `function (file:line:column)`; unknown where thousands are registered in a second. */
  readonly site: string | undefined;
  /** When it began, in milliseconds since 1970; `undefined` before. */
  startedAt: number | undefined;
  /** When it is given up, in milliseconds since 1970; `undefined` where nobody gives it up, and before it begins. */
  deadline: number | undefined;
  /** Of a durable cleanup: its journal's name and its number there. */
  readonly durable: string | undefined;
  /** The cleanup that has called its `run()`, where it was one. */
  within: TracedCleanup | undefined;
  /** The shutdown that it is a part of, or that waits for it; `undefined` where the program itself runs it. */
  shutdown: TracedShutdown | undefined;
  /** `undefined` until it is over: at `end` where it is synchronous, and at `asyncEnd` where it is not. */
  outcome: Outcome | undefined;
  /** What it threw, or was rejected with. */
  error: unknown;
}

/** A shutdown, as the subscribers of `tracing:atexit:shutdown:*` are given it: one object at all its events. */
export interface TracedShutdown {
  readonly exit: Exit;
  /** When the grace period ends, in milliseconds since 1970. */
  readonly deadline: number;
  /** The grace period, in milliseconds. */
  readonly grace: number;
  /** What was registered when it began, in the order in which it is due. */
  readonly queue: readonly TracedCleanup[];
  /** `undefined` until it is over; `given up` where the grace period was, or where it was told a second time to end. */
  outcome: "ok" | "failed" | "given up" | undefined;
}

type Channel<T extends object> = import("node:diagnostics_channel").TracingChannel<unknown, T>;

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

/** How far the events of a cleanup have come. */
interface Told {
  readonly cleanup: TracedCleanup;
  /** Whether its `end` was told, and an `asyncEnd` is next. */
  returned: boolean;
}

/** The channels of one thread. */
export class Channels {
  /** Whether anybody was there when it was last asked. */
  areWatched = false;
  #shutdowns: Channel<TracedShutdown> | undefined;
  #cleanups: Channel<TracedCleanup> | undefined;
  #shutdown: TracedShutdown | undefined;
  #shutdownReturned = false;
  /** While somebody looks: those of the queue, and those that have begun. */
  readonly #told = new Map<Registration, Told>();

  /** Asks before a cleanup that the program runs itself: there may be a million. */
  look(): boolean {
    this.#open();
    this.areWatched = this.#cleanups?.hasSubscribers === true || this.#shutdown !== undefined;
    return this.areWatched;
  }

  /** Asks before a shutdown, by the names alone: to make the channels takes longer than most shutdowns. */
  #lookOnce(): boolean {
    const { hasSubscribers } = builtin("diagnostics_channel");
    this.areWatched = EVENTS.some(
      (event) =>
        hasSubscribers(`tracing:atexit:cleanup:${event}`) || hasSubscribers(`tracing:atexit:shutdown:${event}`),
    );
    if (this.areWatched) this.#open();
    return this.areWatched;
  }

  #open(): void {
    if (this.#cleanups !== undefined) return;
    const { tracingChannel } = builtin("diagnostics_channel");
    this.#shutdowns = tracingChannel("atexit:shutdown");
    this.#cleanups = tracingChannel("atexit:cleanup");
  }

  /** Runs the first, synchronous part of a shutdown. */
  begin<T>(exit: Exit, deadline: number, grace: number, stack: RegistrationStack, body: () => T): T {
    if (this.#shutdown !== undefined || !this.#lookOnce() || this.#shutdowns === undefined) return body();
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
      return this.#shutdowns.start.runStores(shutdown, body);
    } finally {
      if (this.#shutdown === shutdown) this.#shutdowns.end.publish(shutdown);
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
    if (this.#shutdownReturned) this.#shutdowns?.asyncStart.publish(shutdown);
    this.#shutdowns?.[this.#shutdownReturned ? "asyncEnd" : "end"].publish(shutdown);
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
      return this.#cleanups?.start.runStores(cleanup, body);
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
    this.#cleanups?.end.publish(cleanup);
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
    if (told.returned) this.#cleanups?.asyncStart.publish(told.cleanup);
    this.#cleanups?.[told.returned ? "asyncEnd" : "end"].publish(told.cleanup);
  }

  #fail(cleanup: TracedCleanup, error: unknown): void {
    if (!isFailure(this.#shutdown?.exit, error)) return;
    cleanup.outcome = "failed";
    cleanup.error = error;
    this.#cleanups?.error.publish(cleanup);
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

/** What becomes of a cleanup for which no time is left. */
export function unfinished({ durable }: Pick<Registration, "durable">): Outcome {
  return durable === undefined ? "given up" : "left to the guard";
}

/** A reading of now(), in milliseconds since 1970. */
export function sinceEpoch(at: number): number {
  return Date.now() - now() + at;
}
