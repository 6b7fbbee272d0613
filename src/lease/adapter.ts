// What the core asks of an engine, so that an engine is one file. Types only.
//
// Every call may be lost, be late, or have been carried out though no answer came:
// the core repeats what bears it and cancels the rest.

import type { LeaseHolder } from "../errors/lease.ts";
import type { RecipeStore } from "./recipe-store.ts";
import type { JsonValue } from "../durable/json-value.ts";

/** One owner on an engine, from its first lease to its last. Limits are milliseconds, after which the core listens no more. */
export interface Adapter {
  /**
   * Makes the owner known; where it is known already, this is a heartbeat: an answer
   * was lost. Returns for how long it may be silent from now on, in milliseconds:
   * what the engine really grants.
   */
  begin(limit: number): Promise<number | "dead">;
  /** The heartbeat. Returns as {@link begin}, or that the owner was declared dead, which is for good. */
  beat(limit: number): Promise<number | "dead">;
  acquire(asked: Asked, limit: number): Promise<Answer>;
  /**
   * Sees to it that no `acquire` sent before counts any more, and that the lease is
   * not this owner's. It carries the epoch that it ends: one that comes late does
   * nothing, since the owner may have the lease again.
   *
   * @returns whether it has been carried out; else the adapter knows the epoch now
   *   that counts, and whoever still needs it asks again
   */
  cancel(name: string, limit: number): Promise<boolean>;
  /** Frees the lease where it still has this token. */
  release(name: string, token: bigint, limit: number): Promise<void>;
  /** Ends the owner: its leases are free, and no `acquire` of it counts any more. */
  finish(limit: number): Promise<void>;
  /**
   * Tells when a lease may be free: a hint, which may come late, early or never.
   *
   * @returns a function that ends it
   */
  watch?(name: string, changed: () => void): () => void;
  /** Cleanups that outlive the owner; `undefined` where this engine keeps none. */
  readonly recipes?: RecipeStore;
}

export interface Asked {
  readonly name: string;
  readonly data: JsonValue | undefined;
  /** The mark of a holder that was seen to stand still for its whole ttl: it counts as gone, unless it has moved. */
  readonly stoodStill: string | undefined;
  /** Whether the engine's own clock is no evidence. */
  readonly observedOnly: boolean;
}

/** "refused": what was sent earlier has to be cancelled first. "dead": the asker was declared dead. */
export type Answer = { readonly token: bigint } | Held | "refused" | "dead";

export interface Held {
  readonly holder: LeaseHolder;
  /** In how many milliseconds it is free by the engine's clock; `undefined` where that is no evidence. */
  readonly freeIn: number | undefined;
  /** Changes with each heartbeat of the holder. */
  readonly mark: string;
  /** How long the holder may be silent, in milliseconds. */
  readonly ttl: number;
}
