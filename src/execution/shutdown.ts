// The one run of the stack, from the first sign of an exit to the end of the
// process: order, deadlines and reports. How the process then ends is the
// business of the way out that began it.

import type { Channels } from "../diagnostics/channels.ts";
import {
  failureReport,
  givenUpReport,
  notAwaitedReport,
  notCalledReport,
  waitingReport,
} from "../diagnostics/cleanup-reports.ts";
import { loadTraceWriter } from "../diagnostics/load-trace-writer.ts";
import { SHORT, SlowCleanups } from "../diagnostics/slow-cleanups.ts";
import { builtin, clearTimeout, now, setTimeout } from "../platform/node-builtins.ts";
import { type Exit, isFailure } from "../registry/exit-reason.ts";
import type { Outcome } from "../registry/outcome.ts";
import { outcomeWhenAbandoned, type Registration, type RegistrationStack } from "../registry/registration.ts";
import type { Settings } from "../settings/settings.ts";
import { runMarked, SHUTDOWN } from "./cleanup-context.ts";
import { deliver } from "./deliver-report.ts";
import { flushed } from "./flush-output.ts";
import { type CleanupRunner, isPromise } from "./run-cleanup.ts";
import { withTimeLimit } from "./time-limit.ts";
import { process } from "../platform/process.ts";
import { leaveRawMode } from "../platform/raw-mode.ts";
import { systemExits } from "../platform/this-system.ts";

/** After the grace period each remaining cleanup is still called: this is how long one may block then, in milliseconds. */
const LAST_CALL = 100;

/** Which part of the time that is left one cleanup may take that has no timeout, where others wait for their turn. */
const FAIR_SHARE = 3 / 4;

/** A person at a terminal is told what takes longer than this, in milliseconds. */
const PATIENCE = 1_000;

/** A cleanup whose promise the shutdown waits for. */
interface Wait {
  readonly cleanup: Registration;
  readonly promise: PromiseLike<unknown>;
  readonly limit: number;
  /** Whether that is a timeout of its own, and not the end of the grace period. */
  readonly isOwnLimit: boolean;
  readonly startedAt: number;
}

/**
 * The shutdown of one thread.
 *
 *     idle ──begin()──▶ running ──end of the process
 *                        ▲   │
 *                begin() │   │ finish(), at a natural end only
 *                        │   ▼
 *                        ended
 *
 * While it is running, cleanups are called one after the other. Each that
 * returns a promise gives the event loop a turn; when none is left, the output
 * is flushed, and `end`, which the way out has given, ends the process. The loop
 * may go on after a natural end, and a registration that comes then begins the
 * next run, within the same grace period.
 */
export class Shutdown {
  #state: "idle" | "running" | "ended" = "idle";
  #exit: Exit | undefined;
  #requestedCode: number | undefined;
  #hasFailed = false;
  /** The grace period of this way out, in milliseconds. */
  #grace = 0;
  /** When the grace period ends, on the clock of now(). */
  #deadline = 0;
  /** What `process.exitCode` was when it began: the first code wins. */
  #exitCodeAtStart: typeof process.exitCode;

  readonly #runner: CleanupRunner;
  readonly #stack: RegistrationStack;
  readonly #channels: Channels;
  readonly #settings: Settings;
  readonly #announce: (exit: Exit) => void;
  #end: () => void = () => {};
  #slow = new SlowCleanups(0);
  /** The clock, as it was read between two cleanups. */
  #time = 0;
  /** Whether the cleanup that was called last has failed. */
  #lastHasFailed = false;
  #unawaited: Registration[] = [];

  /** @param announce called when it begins, before the first cleanup */
  constructor(runner: CleanupRunner, channels: Channels, settings: Settings, announce: (exit: Exit) => void) {
    this.#runner = runner;
    this.#stack = runner.stack;
    this.#channels = channels;
    this.#settings = settings;
    this.#announce = announce;
  }

  /** Whether the stack is being run, and the process has not ended yet. */
  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** The way out, once there is one. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The code that a cleanup has asked for with exit(n). */
  get requestedCode(): number | undefined {
    return this.#requestedCode;
  }

  /** Whether a cleanup failed or was given up, or an error came up while they ran: an exit code 0 becomes 1. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  get exitCodeAtStart(): typeof process.exitCode {
    return this.#exitCodeAtStart;
  }

  /** The grace period of this way out, in milliseconds. */
  get grace(): number {
    return this.#grace;
  }

  /** The rest of the grace period, in milliseconds. */
  get timeLeft(): number {
    return Math.max(0, this.#deadline - now());
  }

  requestExitCode(code: number): void {
    this.#requestedCode = code;
  }

  markFailed(): void {
    this.#hasFailed = true;
  }

  /**
   * Runs the stack, right here as long as no cleanup returns a promise.
   *
   * @param end called when an asynchronous shutdown is over
   * @param whyNotAwaited where it is given, no promise is waited for, and stderr says why
   * @returns `true` where all is done and the caller is to end the process itself
   */
  begin(exit: Exit, end: () => void, whyNotAwaited?: string): boolean {
    this.#end = end;
    const announce = this.#enter(exit);
    const mayWait = whyNotAwaited === undefined;
    const publisher = this.#channels.checkShutdownSubscribers();
    if (publisher !== undefined) {
      return publisher.beginShutdown(exit, this.#deadline, this.#grace, this.#stack, () => {
        announce();
        return this.#goOn(this.#callUntilPromise(mayWait), whyNotAwaited);
      });
    }
    announce();
    return this.#goOn(this.#callUntilPromise(mayWait), whyNotAwaited);
  }

  /** Forgets the remaining cleanups: the user has asked a second time. */
  abandon(): void {
    if (this.isRunning) this.#channels.publisher?.endShutdown("given up");
    while (this.#stack.newest !== undefined) this.#forget(this.#stack.newest);
  }

  /** Says that the natural end goes on without this shutdown. */
  finish(): void {
    this.#state = "ended";
  }

  /** Returns what announces the way out, which only the first run does. */
  #enter(exit: Exit): () => void {
    const isFirst = this.#state === "idle";
    this.#state = "running";
    this.#time = now();
    this.#exitCodeAtStart = process.exitCode;
    if (!isFirst) return () => {};
    this.#slow = new SlowCleanups(this.#time);
    this.#grace = Math.min(this.#settings.grace, systemExits.graceAfter?.(exit.signal) ?? Infinity);
    this.#deadline = this.#time + this.#grace;
    this.#exit = exit;
    return () => this.#announce(exit);
  }

  /** Waits, or flushes the output; returns whether there is nothing to wait for. */
  #goOn(wait: Wait | undefined, whyNotAwaited?: string): boolean {
    if (wait !== undefined) {
      void this.#waitFor(wait).then(() => {
        if (this.#goOn(this.#callUntilPromise(true))) this.#end();
      });
      return false;
    }
    this.#reportNotAwaited(whyNotAwaited ?? `the grace period of ${this.#grace} ms is over`);
    const output = whyNotAwaited === undefined ? flushed(this.timeLeft) : undefined;
    if (output === undefined) {
      this.#over();
      return true;
    }
    void output.then(() => {
      this.#over();
      this.#end();
    });
    return false;
  }

  /** Tells subscribers that all cleanups have had their turn, and everybody where it took too long. */
  #over(): void {
    const isOverdue = this.timeLeft < 1 && this.#grace > 0; // a timer may fire so much too early
    this.#channels.publisher?.endShutdown(isOverdue ? "given up" : this.#hasFailed ? "failed" : "ok");
    if (!isOverdue || this.#exit === undefined) return;
    const isUnfinished = this.#slow.remembered.some(({ outcome }) => outcome !== "ok" && outcome !== "failed");
    if (isUnfinished) loadTraceWriter()?.printOverdue(this.#exit, this.#slow, this.#grace);
  }

  /** Calls cleanups until there is none, or one has to be waited for. */
  #callUntilPromise(mayWait: boolean): Wait | undefined {
    let wait: Wait | undefined;
    this.#time = now();
    const next = () => (wait === undefined && this.#time < this.#deadline ? this.#stack.newest : undefined);
    while (next() !== undefined) {
      // A cleanup that begins just before the end still has its LAST_CALL.
      const limit = Math.max(this.#deadline - this.#time, LAST_CALL);
      const late = this.#time + limit - LAST_CALL / 2;
      const callSome = () => {
        for (let cleanup = next(); cleanup !== undefined; cleanup = this.#time < late ? next() : undefined) {
          wait = this.#callOne(cleanup, mayWait);
        }
      };
      this.#afterLimit(withTimeLimit(limit, () => runMarked(SHUTDOWN, callSome)));
    }
    if (wait === undefined && this.#stack.newest !== undefined) this.#callLast();
    return wait;
  }

  /** Calls each cleanup once though the grace period is over; those that are registered now are not called. */
  #callLast(): void {
    const cleanups: Registration[] = [];
    for (let at = this.#stack.newest; at !== undefined; at = at.older as Registration | undefined) cleanups.push(at);
    cleanups.reverse();
    while (cleanups.length > 0) {
      // The limit stops a cleanup that blocks; the others begin a new one when half of it is over.
      const half = this.#time + LAST_CALL / 2;
      const next = () => (this.#time < half ? cleanups.pop() : undefined);
      const callSome = () => {
        for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = next()) {
          if (cleanup.state !== "gone") this.#callOne(cleanup, false);
        }
      };
      this.#afterLimit(withTimeLimit(LAST_CALL, () => runMarked(SHUTDOWN, callSome)));
    }
    const { size } = this.#stack;
    if (size === 0) return;
    this.markFailed();
    deliver(this.#settings, notCalledReport(size));
    this.abandon();
  }

  /** Gives up the cleanup that blocked, where the limit has stopped it; reads the clock. */
  #afterLimit(isOver: boolean): void {
    if (!isOver) this.#giveUpBlocked(now() - this.#time, false);
    this.#time = now();
  }

  /** Calls one cleanup, or finds it running already; returns a wait, where its promise has to be waited for. */
  #callOne(cleanup: Registration, mayWait: boolean): Wait | undefined {
    const startedAt = this.#time;
    const left = Math.max(0, this.#deadline - startedAt);
    const limit = Math.min(cleanup.timeout ?? this.#settings.timeout ?? Number.POSITIVE_INFINITY, left);
    const isOwnLimit = limit < left;
    this.#runner.current = cleanup;
    this.#lastHasFailed = false;
    let result: unknown;
    if (cleanup.state !== "registered") {
      // What run() has begun is waited for; its failure goes to the caller of run().
      result = cleanup.ended;
    } else if (isOwnLimit && limit > 0) {
      const isOver = withTimeLimit(limit, () => {
        result = this.#callSafely(cleanup, limit);
      });
      if (!isOver) this.#giveUpBlocked(limit, true);
    } else {
      // As #callSafely does, without its frame: most stack traces of cleanups come by here.
      try {
        result = this.#runner.call(cleanup, limit);
      } catch (error) {
        this.#fail(cleanup, error);
      }
    }
    this.#time = now();
    if (isPromise(result))
      return this.#waitOrLeave({ cleanup, promise: result, limit, isOwnLimit, startedAt }, mayWait);
    const wasStopped = this.#runner.current !== cleanup;
    if (!wasStopped) {
      // Fast path: cleanups under SHORT ms are only counted.
      if (!this.#lastHasFailed && this.#time - startedAt < SHORT) this.#slow.others += 1;
      else this.#slow.add(cleanup, startedAt, this.#time, this.#lastHasFailed ? "failed" : "ok");
    }
    // It has ended; or it is an outer frame of this very call, and cannot end before the process does.
    this.#forget(cleanup);
    return undefined;
  }

  #callSafely(cleanup: Registration, limit: number): unknown {
    try {
      return this.#runner.call(cleanup, limit);
    } catch (error) {
      this.#fail(cleanup, error);
      return undefined;
    }
  }

  /** Returns the wait, where the shutdown may wait; otherwise the promise is left to itself. */
  #waitOrLeave(wait: Wait, mayWait: boolean): Wait | undefined {
    const { cleanup, promise, limit, startedAt } = wait;
    if (mayWait && limit > 0) return this.#fair(wait);
    promise.then(undefined, (error: unknown) => this.#fail(cleanup, error));
    // With a timeout of its own of 0, not to wait for it is what was asked for.
    const isWanted = cleanup.timeout === 0;
    if (!isWanted) this.#unawaited.push(cleanup);
    this.#slow.add(cleanup, startedAt, this.#time, isWanted ? "ok" : outcomeWhenAbandoned(cleanup));
    this.#forget(cleanup);
    return undefined;
  }

  /** Bounds a wait by what is fair, where others wait for their turn and nobody has said how long it may take. */
  #fair(wait: Wait): Wait {
    const { cleanup, limit } = wait;
    const isBounded = cleanup.timeout !== undefined || this.#settings.timeout !== undefined;
    return isBounded || this.#stack.size < 2 ? wait : { ...wait, limit: limit * FAIR_SHARE };
  }

  #waitFor({ cleanup, promise, limit, isOwnLimit, startedAt }: Wait): Promise<void> {
    return new Promise((resolve) => {
      let settled = false;
      const over = (outcome: Outcome) => {
        settled = true;
        this.#slow.add(cleanup, startedAt, now(), outcome);
        clearTimeout(deadline);
        clearTimeout(impatience);
        this.#forget(cleanup);
        resolve();
      };
      const deadline = setTimeout(() => {
        this.markFailed();
        clearTimeout(deadline); // or else it would pass for something that is waited for
        deliver(this.#settings, givenUpReport(cleanup, limit, false));
        over(this.#giveUp(cleanup, isOwnLimit));
      }, limit);
      const impatience =
        limit > PATIENCE ? setTimeout(() => this.#tellWaiting(cleanup, limit - PATIENCE), PATIENCE) : undefined;
      promise.then(
        () => settled || over("ok"),
        (error: unknown) => {
          if (settled) return;
          this.#lastHasFailed = false;
          this.#fail(cleanup, error);
          over(this.#lastHasFailed ? "failed" : "ok");
        },
      );
    });
  }

  /** Tells a person at a terminal, who may press Ctrl-C then, how much longer it may take, in milliseconds. */
  #tellWaiting(cleanup: Registration, left: number): void {
    if (!builtin("tty").isatty(2)) return;
    leaveRawMode(); // in which Ctrl-C would be no signal
    deliver(this.#settings, waitingReport(cleanup, left));
  }

  /** Gives it up: by its own timeout, or for the sake of the whole. */
  #giveUp(cleanup: Registration, isOwnLimit: boolean): Outcome {
    const outcome = isOwnLimit ? "timed out" : outcomeWhenAbandoned(cleanup);
    this.#channels.publisher?.giveUp(cleanup, outcome);
    return outcome;
  }

  #giveUpBlocked(elapsed: number, isOwnLimit: boolean): void {
    const cleanup = this.#runner.current;
    if (cleanup === undefined) return;
    this.markFailed();
    deliver(this.#settings, givenUpReport(cleanup, elapsed, true));
    const at = now();
    this.#slow.add(cleanup, at - elapsed, at, this.#giveUp(cleanup, isOwnLimit));
    this.#forget(cleanup);
  }

  #fail(cleanup: Registration, error: unknown): void {
    if (!isFailure(this.#exit, error)) return;
    this.markFailed();
    this.#lastHasFailed = true;
    deliver(this.#settings, failureReport(cleanup, error));
  }

  #forget(cleanup: Registration): void {
    this.#runner.abandon(cleanup);
    if (this.#runner.current === cleanup) this.#runner.current = undefined;
  }

  #reportNotAwaited(why: string): void {
    if (this.#unawaited.length === 0) return;
    this.markFailed();
    deliver(this.#settings, notAwaitedReport(this.#unawaited, why));
    this.#unawaited = [];
  }
}
