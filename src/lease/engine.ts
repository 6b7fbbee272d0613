// An engine as programs have it: the hub of its leases, on this thread's stack of
// cleanups and, where the engine can be found again, in its journal.
//
// From the first lease to the last there are, from the bottom of the stack:
//   a recipe by which this process's guard gives the leases back, where there is one
//   the end of the session, for who still waits at exit
//   the leases, each at the place where it was taken

import { call, type JsonValue } from "../durable/index.ts";
import { resourceError } from "../errors/resources.ts";
import { register, type Registration } from "../index.ts";
import { builtin, timeOfDay } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { programName } from "../platform/program-name.ts";
import { checkTime } from "../settings/milliseconds.ts";
import type { Adapter } from "./adapter.ts";
import { type Clock, realClock } from "./clock.ts";
import { type Connected, Hub, type Member, type Wanted } from "./hub.ts";
import type { HeldLease } from "./held-lease.ts";
import type { Planted, Recipe } from "./owner-recipes.ts";

/** What every engine can be told. */
export interface EngineOptions {
  /**
   * How long this process may be silent before others take over, in milliseconds;
   * 15,000 by default. Heartbeats come at a third of it.
   */
  ttl?: number;
  /**
   * How long before that its leases are lost to itself, in milliseconds; a fifth of
   * ttl by default. It is the time to stop, and covers clocks that run unequally fast.
   */
  margin?: number;
  /** What others are told that this process is called; by default its executable and script. */
  label?: string;
}

/** Where leases are kept. One of them is one owner there: one heartbeat, however many leases. */
export interface Engine {
  /** What errors call it. */
  readonly name: string;
  /**
   * Fires when the engine says that it has declared this process dead, after a silence
   * longer than ttl. The next lease begins anew, with a new signal.
   */
  readonly signal: AbortSignal;
  /** Gives all leases back, and stops all waiting. A lease that is taken later begins anew. */
  end(): Promise<void>;
}

/** What a process says of itself to those who find its leases held. */
interface Who {
  readonly host: string;
  readonly pid: number;
  readonly program: string;
  /** When this owner began, by its own clock. For people. */
  readonly since: string;
}

/** One owner, as its adapter is made. */
export interface OwnerRecord {
  /** A random UUID: nobody else knows it. */
  readonly id: string;
  readonly ttl: number;
  readonly who: Who;
}

/** A function that gives an owner's leases back from another process. The arguments stand in the journal: no passwords. */
interface GiveBack {
  readonly module: URL;
  readonly exportName: string;
  readonly args: readonly JsonValue[];
}

/** What makes an engine of adapters. */
export interface EngineKind {
  readonly name: string;
  connect(owner: OwnerRecord): Adapter;
  /** How the guard gives the leases back; `undefined` where it cannot. */
  giveBack?(owner: OwnerRecord): GiveBack | undefined;
  /** How the guard carries recipes out whose actions these modules have; `undefined` where it cannot. */
  carryOut?(owner: OwnerRecord, modules: readonly string[]): GiveBack | undefined;
  readonly isOwnerEach?: boolean;
}

const DEFAULT_TTL = 15_000;
/** Of what others are told that this process is called, in characters. */
const LONGEST_LABEL = 500;
/** A ttl below this leaves no time for a slow answer. */
const SHORTEST_TTL = 100;
/** Who is silent is waited for as long. */
const LONGEST_TTL = 86_400_000;

export class LeaseEngine implements Engine {
  readonly #kind: EngineKind;
  readonly #options: EngineOptions;
  readonly #hub: Hub;
  #controller = new AbortController();

  constructor(kind: EngineKind, options: EngineOptions, clock: Clock = realClock) {
    const ttl = checkTime("ttl", options.ttl ?? DEFAULT_TTL);
    if (ttl < SHORTEST_TTL) throw resourceError("ERR_ATEXIT_OPTION", "ttl", ttl, `at least ${SHORTEST_TTL} ms`);
    if (ttl > LONGEST_TTL) throw resourceError("ERR_ATEXIT_OPTION", "ttl", ttl, "at most a day");
    const { margin } = options;
    if (margin !== undefined && checkTime("margin", margin) >= ttl) {
      throw resourceError("ERR_ATEXIT_OPTION", "margin", margin, "less than ttl");
    }
    this.clock = clock;
    this.#kind = kind;
    this.#options = { ...options, ttl };
    this.#hub = new Hub({
      engine: kind.name,
      ttl,
      margin,
      clock,
      isOwnerEach: kind.isOwnerEach === true,
      connect: () => this.#connect(ttl),
      died: () => this.#controller.abort(new Error(`${kind.name} has declared this process dead`)),
    });
  }

  get name(): string {
    return this.#kind.name;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): Promise<void> {
    return this.#hub.end();
  }

  /** @internal */
  take(wanted: Wanted): Promise<HeldLease> {
    return this.#hub.take(wanted);
  }

  /** Whether it keeps recipes; not where each lease is an owner of its own. @internal */
  get keepsRecipes(): boolean {
    return this.#kind.isOwnerEach !== true;
  }

  /** @internal */
  plant(recipe: Recipe, module: string | undefined): Promise<Planted> {
    return this.#hub.plant(recipe, module);
  }

  /** @internal */
  join(): Member {
    return this.#hub.join();
  }

  /** @internal */
  readonly clock: Clock;

  #connect(ttl: number): Connected {
    const { label = programName() } = this.#options;
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
    const since = new Date(timeOfDay()).toISOString();
    const who = { host: builtin("os").hostname(), pid: process.pid, program: label.slice(0, LONGEST_LABEL), since };
    const owner = { id: crypto.randomUUID(), ttl, who };
    const recipe = guardedBy(this.#kind.giveBack?.(owner));
    const modules = new Set<string>();
    let carryOut: Registration<Promise<void>> | undefined;
    const end = register({ name: `leases on ${this.name}` }, () => this.end());
    return {
      adapter: this.#kind.connect(owner),
      owner: owner.id,
      guardWith: (module) => {
        if (modules.has(module)) return;
        modules.add(module);
        const newer = guardedBy(this.#kind.carryOut?.(owner, [...modules]));
        carryOut?.cancel();
        carryOut = newer;
      },
      ended: () => {
        end.cancel();
        carryOut?.cancel();
        recipe?.cancel();
      },
    };
  }
}

function guardedBy(by: GiveBack | undefined): Registration<Promise<void>> | undefined {
  return by && call(by.module, by.exportName, ...by.args);
}
