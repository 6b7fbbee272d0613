// The one run of the stack, from the first sign of an exit to the end of the
// process: order, deadlines and reports. How the process then ends is the
// business of the way out that began it.

import { builtin, clearTimeout, now, setTimeout } from "./builtin.js";
import { insideOf, SHUTDOWN } from "./context.js";
import { type Exit, isFailure } from "./exit.js";
import { type Channels, channelsOf, type Outcome } from "./channels.js";
import { interruptible } from "./interruptible.js";
import { flushed } from "./output.js";
import { type Registration, type RegistrationStack, unfinished } from "./registration.js";
import { abandon, isPromise, start } from "./running.js";
import said from "./said.js" with { type: "late" };
import type { Settings } from "./settings.js";
import { SHORT, Timeline } from "./timeline.js";

/** Ends the process, in the way that fits the way out. */
export type End = () => void;

/** After the grace period each remaining cleanup is still called: this is how long one may block then, in milliseconds. */
const LAST_CALL = 100;

/** A person at a terminal is told what takes longer than this, in milliseconds. */
const PATIENCE = 1_000;

interface Wait {
  cleanup: Registration;
  promise: PromiseLike<unknown>;
  limit: number;
  /** Whether that is a timeout of its own, and not the end of the grace period. */
  isOwnLimit: boolean;
  startedAt: number;
}

export class Shutdown {
  /** Whether the stack is being run, and the process has not ended yet. */
  running = false;
  /** Whether a cleanup failed or was given up, or an error came up while they ran: an exit code 0 becomes 1. */
  failed = false;
  /** The way out, once there is one. */
  exit: Exit | undefined;
  /** The code that a cleanup asked for with exit(n). */
  code: number | undefined;
  /** When the grace period ends, on the clock of now(). */
  deadline = 0;

  readonly #stack: RegistrationStack;
  readonly #channels: Channels;
  readonly #settings: Settings;
  readonly #announce: (exit: Exit) => void;
  #end: End = () => {};
  #timeline = new Timeline(0);
  /** The clock, as it was read between two cleanups. */
  #time = 0;
  /** Whether the cleanup that was called last has failed. */
  #hasFailed = false;
  #unawaited: Registration[] = [];

  constructor(stack: RegistrationStack, settings: Settings, announce: (exit: Exit) => void) {
    this.#stack = stack;
    this.#settings = settings;
    this.#announce = announce;
    this.#channels = channelsOf(stack);
  }

  /**
   * Runs the stack, right here as long as no cleanup returns a promise.
   *
   * @param end called when an asynchronous shutdown is over
   * @returns `true` where all is done and the caller is to end the process itself
   */
  begin(exit: Exit, end: End): boolean {
    this.#end = end;
    return this.#start(exit, () => this.#advance());
  }

  /** Calls every cleanup that is left, and waits for none. */
  runWithoutWaiting(exit: Exit, why: string): void {
    this.#start(exit, () => {
      this.#runSynchronously(false);
      this.#reportNotAwaited(why);
      this.#over(this.failed ? "failed" : "ok");
    });
  }

  /** Forgets what is left: the user has asked a second time. */
  abandon(): void {
    if (this.running) this.#channels.telling?.end("given up");
    while (this.#stack.newest !== undefined) this.#forget(this.#stack.newest);
  }

  /** The natural end goes on without this shutdown; what is registered after it is run by the next. */
  rest(): void {
    this.running = false;
  }

  /** What is left of the grace period, in milliseconds. */
  get left(): number {
    return Math.max(0, this.deadline - now());
  }

  #start<T>(exit: Exit, body: () => T): T {
    this.running = true;
    const isFirst = this.exit === undefined;
    this.#time = now();
    if (isFirst) {
      this.#timeline = new Timeline(this.#time);
      this.deadline = this.#time + this.#settings.grace;
      this.exit = exit;
    }
    return this.#channels.begin(exit, this.deadline, this.#settings.grace, this.#stack, () => {
      if (isFirst) this.#announce(exit);
      return body();
    });
  }

  /** Tells whoever looks, and everybody where it took too long. */
  #over(outcome: "ok" | "failed"): void {
    const { exit } = this;
    const isOverdue = this.left < 1 && this.#settings.grace > 0; // a timer may fire so much too early
    this.#channels.telling?.end(isOverdue ? "given up" : outcome);
    if (!isOverdue || exit === undefined) return;
    const isUnfinished = this.#timeline.steps.some((step) => step.outcome !== "ok" && step.outcome !== "failed");
    if (isUnfinished) said().observer()?.printOverdue(exit, this.#timeline, this.#settings.grace);
  }

  #advance(): boolean {
    const wait = this.#runSynchronously(true);
    if (wait !== undefined) {
      void this.#waitFor(wait).then(() => this.#goOn());
      return false;
    }
    this.#reportNotAwaited(`the grace period of ${this.#settings.grace} ms is over`);
    const output = flushed(this.left);
    if (output === undefined) {
      this.#over(this.failed ? "failed" : "ok");
      return true;
    }
    void output.then(() => {
      this.#over(this.failed ? "failed" : "ok");
      this.#end();
    });
    return false;
  }

  #goOn(): void {
    if (this.#advance()) this.#end();
  }

  /** Calls cleanups until there is none, or one has to be waited for. */
  #runSynchronously(mayWait: boolean): Wait | undefined {
    let wait: Wait | undefined;
    this.#time = now();
    const next = () => (wait === undefined && this.#time < this.deadline ? this.#stack.newest : undefined);
    while (next() !== undefined) {
      // One that begins just before the end is not stopped for what others have taken.
      const limit = Math.max(this.deadline - this.#time, LAST_CALL);
      const late = this.#time + limit - LAST_CALL / 2;
      this.#within(limit, () => {
        for (let cleanup = next(); cleanup !== undefined; cleanup = this.#time < late ? next() : undefined) {
          wait = this.#take(cleanup, mayWait);
        }
      });
    }
    if (wait === undefined && this.#stack.newest !== undefined) this.#callLast();
    return wait;
  }

  /** The grace period is over: each cleanup is still called, once, and what it registers now is not. */
  #callLast(): void {
    const cleanups: Registration[] = [];
    for (let at = this.#stack.newest; at !== undefined; at = at.older as Registration | undefined) cleanups.push(at);
    cleanups.reverse();
    while (cleanups.length > 0) {
      this.#within(LAST_CALL, () => {
        // The limit is for one that blocks; none has to pay for those before it.
        const half = this.#time + LAST_CALL / 2;
        const next = () => (this.#time < half ? cleanups.pop() : undefined);
        for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = next()) {
          if (cleanup.state !== "gone") this.#take(cleanup, false);
        }
      });
    }
    const { size } = this.#stack;
    if (size === 0) return;
    this.failed = true;
    said().reportNotCalled(size);
    this.abandon();
  }

  /** Runs cleanups as such, and gives up the one that blocks the event loop. */
  #within(limit: number, body: () => void): void {
    const startedAt = now();
    if (!interruptible(limit, () => insideOf(SHUTDOWN, body))) this.#giveUpBlocked(now() - startedAt, false);
    this.#time = now();
  }

  /** One cleanup: called, or found running already. */
  #take(cleanup: Registration, mayWait: boolean): Wait | undefined {
    this.#stack.current = cleanup;
    const startedAt = this.#time;
    const left = Math.max(0, this.deadline - startedAt);
    const timeout = cleanup.about?.timeout;
    const limit = Math.min(timeout ?? this.#settings.timeout ?? Number.POSITIVE_INFINITY, left);
    this.#hasFailed = false;
    // One that run() has begun already is waited for; its failure goes to the caller of run().
    const promise = cleanup.state === "registered" ? this.#call(cleanup, limit) : cleanup.about?.ending;
    this.#time = now();
    if (promise === undefined) {
      // Where it was stopped, that is known already.
      if (this.#stack.current === cleanup) {
        // Most are over at once: for them, not even a call.
        if (!this.#hasFailed && this.#time - startedAt < SHORT) this.#timeline.others += 1;
        else this.#timeline.add(cleanup, startedAt, this.#time, this.#hasFailed ? "failed" : "ok");
      }
      // It has ended; or it is an outer frame of this very call, and cannot end before the process does.
      this.#forget(cleanup);
      return undefined;
    }
    if (mayWait && limit > 0) return { cleanup, promise, limit, isOwnLimit: limit < left, startedAt };
    promise.then(undefined, (error) => this.#fail(cleanup, error));
    // With a timeout of its own of 0, not to wait for it is what was asked for.
    if (timeout !== 0) this.#unawaited.push(cleanup);
    this.#timeline.add(cleanup, startedAt, this.#time, timeout === 0 ? "ok" : unfinished(cleanup));
    this.#forget(cleanup);
    return undefined;
  }

  /** @returns its promise, if it has one */
  #call(cleanup: Registration, limit: number): PromiseLike<unknown> | undefined {
    let result: unknown;
    const call = () => {
      try {
        result = start(cleanup, limit);
      } catch (error) {
        this.#fail(cleanup, error);
      }
    };
    const hasOwnTimeout = limit > 0 && limit < this.deadline - this.#time;
    if (!hasOwnTimeout) call();
    else if (!interruptible(limit, call)) this.#giveUpBlocked(limit, true);
    return isPromise(result) ? result : undefined;
  }

  #waitFor({ cleanup, promise, limit, isOwnLimit, startedAt }: Wait): Promise<void> {
    return new Promise((resolve) => {
      let settled = false;
      const over = (outcome: Outcome) => {
        settled = true;
        this.#timeline.add(cleanup, startedAt, now(), outcome);
        clearTimeout(deadline);
        clearTimeout(impatience);
        this.#forget(cleanup);
        resolve();
      };
      const deadline = setTimeout(() => {
        this.failed = true;
        clearTimeout(deadline); // or else it would pass for something that is waited for
        said().reportGivenUp(cleanup, limit, false);
        over(this.#giveUp(cleanup, isOwnLimit));
      }, limit);
      const impatience =
        limit > PATIENCE && builtin("tty").isatty(2)
          ? setTimeout(() => said().reportWaiting(cleanup, limit - PATIENCE), PATIENCE)
          : undefined;
      promise.then(
        () => settled || over("ok"),
        (error) => {
          if (settled) return;
          this.#hasFailed = false;
          this.#fail(cleanup, error);
          over(this.#hasFailed ? "failed" : "ok");
        },
      );
    });
  }

  /** By its own timeout, or for the sake of the whole. */
  #giveUp(cleanup: Registration, isOwnLimit: boolean): Outcome {
    const outcome = isOwnLimit ? "timed out" : unfinished(cleanup);
    this.#channels.telling?.giveUp(cleanup, outcome);
    return outcome;
  }

  #giveUpBlocked(elapsed: number, isOwnLimit: boolean): void {
    const cleanup = this.#stack.current;
    if (cleanup === undefined) return;
    this.failed = true;
    said().reportGivenUp(cleanup, elapsed, true);
    const at = now();
    this.#timeline.add(cleanup, at - elapsed, at, this.#giveUp(cleanup, isOwnLimit));
    this.#forget(cleanup);
  }

  #fail(cleanup: Registration, error: unknown): void {
    if (!isFailure(this.exit, error)) return;
    this.failed = true;
    this.#hasFailed = true;
    said().reportFailure(cleanup, error);
  }

  #forget(cleanup: Registration): void {
    abandon(cleanup);
    if (this.#stack.current === cleanup) this.#stack.current = undefined;
  }

  #reportNotAwaited(why: string): void {
    if (this.#unawaited.length === 0) return;
    this.failed = true;
    said().reportNotAwaited(this.#unawaited, why);
    this.#unawaited = [];
  }
}
