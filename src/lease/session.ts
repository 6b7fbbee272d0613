// One owner on an engine, from its first lease to its last: one heartbeat, one
// deadline for all leases, and what has still to be undone.
//
//   new --begin()--> live --finish()----------------------> over
//                    live --the engine says so--> dead ---> over
//
// The deadline counts from before a request was sent: what the engine grants ends
// no earlier than that and the ttl. When it has passed, the leases are lost; the
// owner is not, until the engine says so, since what else it has there may last.

import { leaseError, type LossReason } from "../errors/lease.ts";
import type { Adapter, Answer, Asked, Held } from "./adapter.ts";
import type { Clock } from "./clock.ts";

/** A lease that this owner has, as the session sees it. */
export interface Turn {
  readonly name: string;
  readonly token: bigint;
  lose(reason: LossReason): void;
}

export interface SessionOptions {
  /** The engine's name in errors. */
  readonly engine: string;
  /** How long the owner wants to be allowed to be silent, in milliseconds. */
  readonly ttl: number;
  /** How long before that its leases are lost, in milliseconds; by default a fifth of what is granted. */
  readonly margin: number | undefined;
  /** Called when the engine has declared this owner dead. */
  readonly died: () => void;
}

/** What the core knows better than to repeat: the engine will say the same again. */
export interface PermanentError {
  readonly isPermanent?: boolean;
}

/** After how much of the ttl a heartbeat is sent, and how long one may take. */
const HEARTBEAT = 1 / 3;
/** After how much of the ttl one that failed is repeated; a second at most. */
const RETRY = 1 / 15;
const LONGEST_RETRY = 1_000;
const MARGIN = 1 / 5;

export class Session {
  readonly #adapter: Adapter;
  readonly #clock: Clock;
  readonly #options: SessionOptions;
  #state: "new" | "live" | "dead" | "over" = "new";
  #begun: Promise<void> | undefined;
  #ttl: number;
  #deadline = Number.NEGATIVE_INFINITY;
  readonly #turns = new Set<Turn>();
  readonly #onLost = new Set<() => void>();
  /** Leases that may be this owner's though nobody has them: by name, the token to release, or "cancel". */
  readonly #undone = new Map<string, bigint | "cancel">();
  readonly #undoing = new Map<string, Promise<boolean>>();
  #isCatchingUp = false;
  #stopHeartbeat = () => {};
  #stopDeadline = () => {};

  constructor(adapter: Adapter, clock: Clock, options: SessionOptions) {
    this.#adapter = adapter;
    this.#clock = clock;
    this.#options = options;
    this.#ttl = options.ttl;
  }

  /** Whether it can take leases. */
  get isOpen(): boolean {
    return this.#state === "new" || this.#state === "live";
  }

  /** Whether a heartbeat has ever been answered. */
  get hasBegun(): boolean {
    return this.#deadline !== Number.NEGATIVE_INFINITY;
  }

  /** How long to wait before something that failed is tried again, in milliseconds. */
  get retry(): number {
    return Math.min(this.#ttl * RETRY, LONGEST_RETRY);
  }

  /** Milliseconds until the leases are lost without another heartbeat. */
  get remaining(): number {
    return Math.max(0, this.#deadline - this.#clock.now());
  }

  /**
   * Asks once for a lease.
   *
   * @param toTurn makes the handle of a token
   * @returns the handle; who has it; or "again", where something had to be settled first
   * @throws (rejects with) an error with the code `ERR_ATEXIT_ENGINE`
   */
  async ask<T extends Turn>(asked: Asked, toTurn: (token: bigint) => T): Promise<T | Held | "again"> {
    await this.#begin();
    if (!this.isOpen) return "again";
    const { name } = asked;
    if (this.#undone.has(name) && !(await this.#undo(name))) throw this.#noAnswer("a lost request was not cancelled");
    let answer: Answer;
    try {
      answer = await this.#request((limit) => this.#adapter.acquire(asked, limit));
    } catch (error) {
      this.#undone.set(name, "cancel");
      throw error;
    }
    if (!this.isOpen) return "again";
    if (answer === "dead") this.die();
    else if (answer === "refused") this.#undone.set(name, "cancel");
    if (typeof answer === "string") return "again";
    if (!("token" in answer)) return answer;
    this.look();
    if (this.#clock.now() >= this.#deadline) {
      this.#undone.set(name, "cancel");
      throw this.#noAnswer("no heartbeat was answered in time");
    }
    const turn = toTurn(answer.token);
    this.#turns.add(turn);
    return turn;
  }

  /**
   * Sends a request of this owner, once it is known to the engine.
   *
   * @returns "over" where the owner is not live any more
   * @throws (rejects with) an error with the code `ERR_ATEXIT_ENGINE`
   */
  async send<T>(what: (adapter: Adapter, limit: number) => Promise<T>): Promise<T | "over"> {
    await this.#begin();
    return this.isOpen ? this.sendAnyway(what) : "over";
  }

  /** The same, of an owner that may be dead. */
  sendAnyway<T>(what: (adapter: Adapter, limit: number) => Promise<T>): Promise<T> {
    return this.#request((limit) => what(this.#adapter, limit));
  }

  /** Calls back when others may take this owner for dead: by time, by the engine's word, or at its end. @returns a function that ends it */
  onLost(lost: () => void): () => void {
    this.#onLost.add(lost);
    return () => this.#onLost.delete(lost);
  }

  /** Looks at the clock: when the deadline has passed, all leases are lost. */
  look(): void {
    const hasNothing = this.#turns.size + this.#onLost.size === 0;
    if (hasNothing || !this.hasBegun || this.#clock.now() < this.#deadline) return;
    this.#loseAll("silence");
  }

  /** Gives a lease back. What is not confirmed is repeated with the heartbeats. */
  async release(turn: Turn): Promise<void> {
    if (!this.#turns.delete(turn) || !this.isOpen) return;
    this.#undone.set(turn.name, turn.token);
    await this.#undo(turn.name);
  }

  /**
   * Ends the owner, and with it all that is its own. Resolves after the first
   * attempt; others follow until the leases are free by time.
   */
  async finish(): Promise<void> {
    const wasNew = this.#state === "new" && this.#begun === undefined;
    if (this.#state === "over" || wasNew) return;
    const end = this.#clock.now() + this.#ttl;
    this.#close("over");
    this.#loseAll("released");
    const attempt = async (): Promise<void> => {
      try {
        await this.#request((limit) => this.#adapter.finish(limit));
      } catch {
        if (this.#clock.now() < end) this.#clock.after(this.retry, () => void attempt(), false);
      }
    };
    await attempt();
  }

  watch(name: string, changed: () => void): () => void {
    return this.#adapter.watch?.(name, changed) ?? (() => {});
  }

  #begin(): Promise<void> {
    this.#begun ??= this.#tryToBegin();
    return this.#begun;
  }

  async #tryToBegin(): Promise<void> {
    const sentAt = this.#clock.now();
    try {
      const granted = await this.#request((limit) => this.#adapter.begin(limit));
      if (this.#state !== "new") return;
      if (granted === "dead") return this.die();
      this.#state = "live";
      this.#heard(sentAt, granted);
    } catch (error) {
      this.#begun = undefined;
      throw error;
    }
  }

  /** Notes an answer to what was sent at that time. */
  #heard(sentAt: number, granted: number): void {
    this.look(); // what was lost before stays lost
    this.#ttl = granted;
    const margin = this.#options.margin ?? granted * MARGIN;
    this.#deadline = Math.max(this.#deadline, sentAt + granted - margin);
    this.#watchDeadline();
    this.#beatIn(sentAt + granted * HEARTBEAT - this.#clock.now());
    void this.#catchUp();
  }

  /** A timer may fire a little early. */
  #watchDeadline(): void {
    this.#stopDeadline();
    if (this.remaining === 0) this.look();
    else this.#stopDeadline = this.#clock.after(this.remaining, () => this.#watchDeadline(), false);
  }

  #beatIn(ms: number): void {
    this.#stopHeartbeat();
    this.#stopHeartbeat = this.#clock.after(Math.max(0, ms), () => void this.#beat(), false);
  }

  async #beat(): Promise<void> {
    const sentAt = this.#clock.now();
    this.look();
    try {
      const granted = await this.#request((limit) => this.#adapter.beat(limit), false);
      if (this.#state !== "live") return;
      if (granted === "dead") this.die();
      else this.#heard(sentAt, granted);
    } catch {
      if (this.#state === "live") this.#beatIn(this.retry);
    }
  }

  /** Undoes what has failed before; those who wait for a name do the same for theirs. */
  async #catchUp(): Promise<void> {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    for (const name of this.#undone.keys()) if (!(await this.#undo(name))) break;
    this.#isCatchingUp = false;
  }

  /**
   * Reports whether a lease that may be this owner's has been given back for certain.
   * One at a time for a name: a second cancel, with the epoch after the first, would
   * take away what was acquired in between.
   */
  #undo(name: string): Promise<boolean> {
    let undoing = this.#undoing.get(name);
    if (undoing === undefined) {
      undoing = this.#undoUntilDone(name).finally(() => this.#undoing.delete(name));
      this.#undoing.set(name, undoing);
    }
    return undoing;
  }

  async #undoUntilDone(name: string): Promise<boolean> {
    for (let how = this.#undone.get(name); how !== undefined; how = this.#undone.get(name)) {
      try {
        const isDone = await this.#undoOnce(name, how);
        if (isDone && this.#undone.get(name) === how) this.#undone.delete(name);
      } catch {
        return false;
      }
    }
    return true;
  }

  #undoOnce(name: string, how: bigint | "cancel"): Promise<boolean> {
    return this.#request(async (limit) => {
      if (how === "cancel") return this.#adapter.cancel(name, limit);
      await this.#adapter.release(name, how, limit);
      return true;
    });
  }

  /** Notes that the engine has declared this owner dead. */
  die(): void {
    if (this.#state === "dead") return;
    this.#close("dead");
    this.#loseAll("dead");
    this.#options.died();
  }

  #close(state: "dead" | "over"): void {
    this.#state = state;
    this.#stopHeartbeat();
    this.#stopDeadline();
    this.#undone.clear();
  }

  #loseAll(reason: LossReason): void {
    const lost = [...this.#turns];
    this.#turns.clear();
    for (const { name } of lost) if (this.isOpen) this.#undone.set(name, "cancel");
    for (const turn of lost) turn.lose(reason);
    for (const lose of this.#onLost) lose();
    this.#onLost.clear();
  }

  /** Sends a request, and listens for its answer for a limited time. */
  #request<T>(send: (limit: number) => Promise<T>, keepsAlive = true): Promise<T> {
    const limit = this.#ttl * HEARTBEAT;
    return new Promise((resolve, reject) => {
      const late = () => reject(this.#noAnswer(`no answer came within ${Math.round(limit)} ms`));
      const stop = this.#clock.after(limit, late, keepsAlive);
      send(limit).then(
        (answer) => {
          stop();
          resolve(answer);
        },
        (error: unknown) => {
          stop();
          reject(this.#failed(error));
        },
      );
    });
  }

  #noAnswer(why: string): Error {
    return leaseError("ERR_ATEXIT_ENGINE", this.#options.engine, why);
  }

  #failed(cause: unknown): Error {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ERR_ATEXIT_ENGINE") return cause as Error;
    return Object.assign(this.#noAnswer(message || String(code ?? cause)), { cause });
  }
}
