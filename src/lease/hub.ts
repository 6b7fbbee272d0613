// All that one process has on one engine: its session, who in it waits for what,
// and the turns of waiting. It knows no process: what begins and ends with a
// session is given to it.

import { LeaseHeldError, leaseError } from "../errors/lease.ts";
import type { JsonValue } from "../durable/json-value.ts";
import { onAbort } from "../platform/abort-signal.ts";
import type { Adapter, Held } from "./adapter.ts";
import type { Clock } from "./clock.ts";
import { HeldLease } from "./held-lease.ts";
import { NameQueue } from "./name-queue.ts";
import { Observation } from "./observation.ts";
import { OwnerRecipes, type Planted, type Recipe } from "./owner-recipes.ts";
import { type PermanentError, Session } from "./session.ts";

export interface HubOptions {
  /** The engine's name in errors. */
  readonly engine: string;
  readonly ttl: number;
  readonly margin: number | undefined;
  readonly clock: Clock;
  /** Makes an owner of its own; called when a session begins. */
  readonly connect: () => Connected;
  /** Called when the engine has declared this process dead. */
  readonly died: () => void;
  /** Whether each lease is an owner of its own. */
  readonly isOwnerEach?: boolean;
}

export interface Connected {
  readonly adapter: Adapter;
  /** The owner's number: a UUID. */
  readonly owner: string;
  /** Has the guard carry recipes out whose actions are in this module. */
  readonly guardWith: (module: string) => void;
  /** Called when the session is over. */
  readonly ended: () => void;
}

export interface Wanted {
  readonly name: string;
  readonly data?: JsonValue | undefined;
  readonly wait: number;
  readonly signal?: AbortSignal | undefined;
  readonly observedOnly: boolean;
}

/** How long to wait between two looks at a lease that is held, in milliseconds, where nothing tells of its release. */
const POLL = 400;
/** By how much looks are spread, as a part of that. */
const SPREAD = 0.25;
/** The shortest pause between two looks, in milliseconds. */
const SHORTEST_PAUSE = 10;

const NOBODY = { host: undefined, pid: undefined, program: undefined, since: undefined, data: undefined };

/** One who takes part in a session. */
export interface Member {
  readonly session: Session;
  readonly owner: string;
  readonly leave: () => Promise<void>;
}

/** What came of one request, and how long to wait before the next, in milliseconds. */
interface Attempt {
  readonly pause: number;
  readonly lease?: HeldLease;
  readonly held?: Held;
  readonly failed?: Error & PermanentError;
}

/** A session with those who use it. */
interface Used {
  readonly session: Session;
  readonly connected: Connected;
  readonly recipes: OwnerRecipes;
  /** Whether it is for one user alone, and ends with that. */
  readonly isApart: boolean;
  users: number;
}

export class Hub {
  readonly #options: HubOptions;
  readonly #queue = new NameQueue();
  readonly #sessions = new Set<Used>();
  /** The ends of sessions that are under way. */
  readonly #finishing = new Set<Promise<void>>();
  /** Wakes those who wait, when all ends. */
  readonly #waiting = new Set<() => void>();
  /** How often all has ended. */
  #ends = 0;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /**
   * Takes a lease.
   *
   * @throws (rejects with) a LeaseHeldError; the signal's reason; an error with the
   *   code `ERR_ATEXIT_ENGINE` or `ERR_ATEXIT_ENGINE_ENDED`
   */
  async take(wanted: Wanted): Promise<HeldLease> {
    const { signal } = wanted;
    signal?.throwIfAborted();
    if (signal === undefined) return this.#take(wanted);
    let stopListening = () => {};
    const aborted = new Promise<never>((_, reject) => {
      stopListening = onAbort(signal, () => reject(signal.reason as Error));
    });
    try {
      return await Promise.race([this.#take(wanted), aborted]);
    } finally {
      stopListening();
    }
  }

  async #take(wanted: Wanted): Promise<HeldLease> {
    const { name, wait } = wanted;
    const ends = this.#ends;
    const end = this.#options.clock.now() + wait;
    await this.#enter(wanted, end);
    let used = this.#use();
    let isTaken = false;
    const observation = new Observation();
    try {
      for (;;) {
        if (this.#ends !== ends) throw this.#endedError(name);
        if (!used.session.isOpen) {
          void this.#unuse(used);
          used = this.#use();
          observation.restart();
        }
        const { pause, failed, held, lease } = await this.#tryOnce(used, wanted, observation);
        if (lease !== undefined) {
          isTaken = true;
          return await this.#unlessUnwanted(lease, wanted);
        }
        const left = end - this.#options.clock.now();
        if (failed !== undefined && (left <= 0 || failed.isPermanent === true)) throw failed;
        if (held !== undefined && left <= 0) throw heldError(name, held);
        if (pause > 0) await this.#pause(used.session, wanted, Math.min(pause, Math.max(0, left)));
      }
    } finally {
      if (!isTaken) {
        this.#queue.leave(name);
        void this.#unuse(used);
      }
    }
  }

  /**
   * Has the engine keep a recipe.
   *
   * @param module where the guard finds its action; `undefined` where it does not
   * @throws (rejects with) an error with the code `ERR_ATEXIT_ENGINE` or `ERR_ATEXIT_RECIPES`
   */
  async plant(recipe: Recipe, module: string | undefined): Promise<Planted> {
    for (;;) {
      const used = this.#use();
      if (module !== undefined) used.connected.guardWith(module);
      const over = () => this.#unuse(used);
      try {
        const planted = await used.recipes.plant(recipe, over);
        if (planted !== undefined) return planted;
      } catch (error) {
        void over();
        throw error;
      }
      void over();
    }
  }

  /** Takes part as an owner of its own, with no leases: a keeper, which frees what it has claimed when it leaves. */
  join(): Member {
    const used = this.#begin(true);
    return { session: used.session, owner: used.connected.owner, leave: () => this.#unuse(used) };
  }

  /** Gives all leases back, and stops all waiting. */
  async end(): Promise<void> {
    this.#ends += 1;
    for (const stop of this.#waiting) stop();
    await Promise.all([...[...this.#sessions].map((used) => this.#finish(used)), ...this.#finishing]);
  }

  /** Waits until nobody else in this process has the name or asks for it. */
  async #enter(wanted: Wanted, end: number): Promise<void> {
    const { name } = wanted;
    if (this.#queue.takeNow(name)) return;
    const left = end - this.#options.clock.now();
    let stop = () => {};
    const isOurs = await this.#until(wanted, left, (done) => {
      stop = this.#queue.wait(name, () => done(true));
      return stop;
    }).finally(() => stop());
    if (isOurs !== true) throw new LeaseHeldError(name, { ...NOBODY, freeIn: undefined }, true);
  }

  async #tryOnce(used: Used, wanted: Wanted, observation: Observation): Promise<Attempt> {
    const { clock, engine } = this.#options;
    const { name, data, observedOnly } = wanted;
    const { session } = used;
    const asked = { name, data, observedOnly, stoodStill: observation.stoodStill(clock.now()) };
    let found: HeldLease | Held | "again";
    try {
      found = await session.ask(asked, (token) => {
        const lease: HeldLease = new HeldLease(session, engine, name, token, () => this.#over(used, lease));
        return lease;
      });
    } catch (error) {
      observation.restart();
      return { pause: session.retry, failed: error as Error };
    }
    if (found === "again") return { pause: 0 };
    if (found instanceof HeldLease) return { pause: 0, lease: found };
    observation.see(found, clock.now());
    const spread = POLL * (1 + SPREAD * (2 * clock.random() - 1));
    const due = Math.min(found.freeIn ?? spread, observation.due(clock.now()), spread);
    return { pause: Math.max(SHORTEST_PAUSE, due), held: found };
  }

  /** One who has stopped waiting while the answer was on its way gets nothing. */
  async #unlessUnwanted(lease: HeldLease, { signal }: Wanted): Promise<HeldLease> {
    if (signal?.aborted !== true) return lease;
    await lease.release();
    throw signal.reason;
  }

  #pause(session: Session, wanted: Wanted, ms: number): Promise<unknown> {
    return this.#until(wanted, ms, (done) => session.watch(wanted.name, () => done(true)));
  }

  /** Waits for `begin`'s event for so long; rejects where the signal fires, or all ends. Resolves with `false` when the time is over. */
  #until(wanted: Wanted, ms: number, begin: (done: (is: boolean) => void) => () => void): Promise<boolean> {
    const { signal, name } = wanted;
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => {
        stopTimer();
        stopEvent();
        stopListening?.();
        this.#waiting.delete(ended);
        then();
      };
      const aborted = () => settle(() => reject(signal?.reason as Error));
      const ended = () => settle(() => reject(this.#endedError(name)));
      let stopTimer = () => {};
      let stopEvent = () => {};
      let stopListening: (() => void) | undefined;
      if (signal?.aborted === true) return reject(signal.reason as Error);
      stopListening = signal && onAbort(signal, aborted);
      this.#waiting.add(ended);
      if (ms !== Number.POSITIVE_INFINITY) {
        stopTimer = this.#options.clock.after(Math.max(0, ms), () => settle(() => resolve(false)), true);
      }
      stopEvent = begin((is) => settle(() => resolve(is)));
    });
  }

  #endedError(name: string): Error {
    return leaseError("ERR_ATEXIT_ENGINE_ENDED", this.#options.engine, name);
  }

  /** A lease is released or lost: the next in this process may ask, as soon as the engine has been told. */
  async #over(used: Used, lease: HeldLease): Promise<void> {
    // The end of the owner gives its last lease back, and saves a request.
    if (used.users > 1) await used.session.release(lease);
    await this.#unuse(used);
    this.#queue.leave(lease.name);
  }

  #use(): Used {
    if (this.#options.isOwnerEach !== true) {
      for (const used of this.#sessions) {
        if (!used.session.isOpen || used.isApart) continue;
        used.users += 1;
        return used;
      }
    }
    return this.#begin(false);
  }

  #begin(isApart: boolean): Used {
    const { clock, connect } = this.#options;
    const connected = connect();
    const session = new Session(connected.adapter, clock, this.#options);
    const recipes = new OwnerRecipes(session, connected.owner, this.#options);
    const used = { session, connected, recipes, isApart, users: 1 };
    this.#sessions.add(used);
    return used;
  }

  async #unuse(used: Used): Promise<void> {
    used.users -= 1;
    if (used.users === 0) await this.#finish(used);
  }

  async #finish(used: Used): Promise<void> {
    if (!this.#sessions.delete(used)) return;
    const finishing = used.session.finish();
    this.#finishing.add(finishing);
    try {
      await finishing;
    } finally {
      this.#finishing.delete(finishing);
      used.connected.ended();
    }
  }
}

function heldError(name: string, { holder, freeIn }: Held): LeaseHeldError {
  return new LeaseHeldError(name, { ...holder, freeIn }, false);
}
