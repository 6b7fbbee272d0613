// Leader election: takes a lease again and again, and lets a task run while it is held.
//
// On the stack a term stands above its lease: at exit the task is told and waited
// for before the lease is given back.

import { register } from "../index.ts";
import { onAbort } from "../platform/abort-signal.ts";
import { realClock } from "./clock.ts";
import type { Lease } from "./lease-handle.ts";

export interface Leading extends AsyncDisposable {
  /** Whether this process leads now. Looks at the clock. */
  readonly isLeader: boolean;
  /**
   * Resolves when it was stopped. Without `onError` it rejects with what the task or
   * the engine failed with, and where nobody awaits it that is an unhandled rejection.
   */
  readonly done: Promise<void>;
  /** Tells the task to end, waits for it, and gives the lease back. */
  stop(): Promise<void>;
}

/** One term: the lease, and a signal that fires when the term ends, for whatever reason. */
export type Task = (term: Lease, ending: AbortSignal) => Promise<void> | void;

/** How long to wait after a term before the next, in milliseconds: others get their turn. */
const BETWEEN_TERMS = 1_000;

export class Election implements Leading {
  readonly #take: (stop: AbortSignal) => Promise<Lease>;
  readonly #task: Task;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #stopping = new AbortController();
  #term: Lease | undefined;
  readonly done: Promise<void>;

  constructor(
    name: string,
    take: (stop: AbortSignal) => Promise<Lease>,
    task: Task,
    onError: ((error: unknown) => void) | undefined,
  ) {
    this.#take = take;
    this.#task = task;
    this.#onError = onError;
    const registration = register({ name: `stop standing for ${name}` }, () => this.#stopping.abort());
    this.done = this.#lead().finally(() => registration.cancel());
  }

  get isLeader(): boolean {
    return this.#term?.isHeld() === true;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.done.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #lead(): Promise<void> {
    const { signal: stopping } = this.#stopping;
    while (!stopping.aborted) {
      try {
        this.#term = await this.#take(stopping);
        await this.#serve(this.#term, stopping);
      } catch (error) {
        if (stopping.aborted && this.#term === undefined) return;
        if (this.#onError === undefined) throw error;
        this.#onError(error);
      } finally {
        await this.#term?.release();
        this.#term = undefined;
      }
      await pause(BETWEEN_TERMS, stopping);
    }
  }

  async #serve(term: Lease, stopping: AbortSignal): Promise<void> {
    const ending = AbortSignal.any([term.signal, stopping]);
    let ended = () => {};
    const served = new Promise<void>((resolve) => (ended = resolve));
    const registration = register({ name: `end the term of ${term.name}` }, () => {
      this.#stopping.abort();
      return served;
    });
    try {
      await this.#task(term, ending);
    } finally {
      registration.cancel();
      ended();
    }
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const settle = () => {
      stopTimer();
      stopListening();
      resolve();
    };
    const stopTimer = realClock.after(ms, settle, true);
    const stopListening = onAbort(stop, settle);
  });
}
