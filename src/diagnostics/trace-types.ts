// What subscribers of the tracing channels are given. Types only.

import type { Exit } from "../registry/exit-reason.ts";
import type { Outcome } from "../registry/outcome.ts";

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
