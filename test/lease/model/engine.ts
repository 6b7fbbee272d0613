// An engine as the core needs one, and a network that delays, loses, doubles and
// re-orders what is sent. It is told what is right to leave out, one rule at a
// time, to show that the checker sees it.

import type { Adapter, Answer, Asked } from "../../../src/lease/adapter.ts";
import { type Network, sendOver, type TestedEngine } from "./network.ts";
import type { ModelProcess, World } from "./world.ts";

/** A rule that a broken engine leaves out. */
export type LeftOut = "an epoch" | "an old cancel is refused" | "a second begin is a heartbeat" | "tokens grow";

interface Owner {
  readonly ttl: number;
  expiresAt: number;
  beat: number;
  epoch: number;
  isDead: boolean;
}

interface Lease {
  owner: string | undefined;
  token: bigint;
}

export class ModelEngine implements TestedEngine {
  readonly world: World;
  readonly #leftOut: LeftOut | undefined;
  readonly #owners = new Map<string, Owner>();
  readonly leases = new Map<string, Lease>();
  /** By how much its wall clock is ahead. */
  clockOffset = 0;
  awayUntil = 0;
  granted: (name: string, token: bigint) => void = () => {};

  constructor(world: World, leftOut?: LeftOut) {
    this.world = world;
    this.#leftOut = leftOut;
  }

  connect(process: ModelProcess, network: Network, ttl: number): Adapter {
    return new ModelAdapter(this, process, network, ttl);
  }

  get #now(): number {
    return this.world.time + this.clockOffset;
  }

  begin(id: string, ttl: number): number | "dead" {
    if (this.#owners.has(id)) return this.#leftOut === "a second begin is a heartbeat" ? ttl : this.beat(id);
    this.#owners.set(id, { ttl, expiresAt: this.#now + ttl, beat: 0, epoch: 0, isDead: false });
    return ttl;
  }

  beat(id: string): number | "dead" {
    const owner = this.#owners.get(id);
    if (owner === undefined || owner.isDead) return "dead";
    owner.beat += 1;
    owner.expiresAt = this.#now + owner.ttl;
    return owner.ttl;
  }

  acquire(id: string, epoch: number, { name, stoodStill, observedOnly }: Asked): Answer {
    const lease = this.#lease(name);
    const owner = this.#owners.get(id);
    if (owner === undefined || owner.isDead) return "dead";
    if (owner.epoch !== epoch && this.#leftOut !== "an epoch") return "refused";
    if (lease.owner === id) return "refused";
    const other = lease.owner === undefined ? undefined : this.#owners.get(lease.owner);
    if (other !== undefined) {
      const mark = `${lease.owner}/${other.beat}`;
      const freeIn = other.expiresAt - this.#now;
      const isOver = other.isDead || mark === stoodStill || (!observedOnly && freeIn <= 0);
      const holder = { host: "model", pid: 1, program: undefined, since: undefined, data: undefined };
      if (!isOver) return { holder, mark, ttl: other.ttl, freeIn: observedOnly ? undefined : freeIn };
      other.isDead = true;
    }
    lease.owner = id;
    if (this.#leftOut !== "tokens grow" || lease.token === 0n) lease.token += 1n;
    this.granted(name, lease.token);
    return { token: lease.token };
  }

  /** Returns the epoch that counts afterwards, whether it was this call that has raised it or not. */
  cancel(id: string, epoch: number, name: string): { epoch: number; isDone: boolean } {
    const owner = this.#owners.get(id);
    if (owner === undefined) return { epoch, isDone: true };
    if (owner.epoch !== epoch && this.#leftOut !== "an old cancel is refused") {
      return { epoch: owner.epoch, isDone: false };
    }
    owner.epoch += 1;
    const lease = this.#lease(name);
    if (lease.owner === id) lease.owner = undefined;
    return { epoch: owner.epoch, isDone: true };
  }

  release(id: string, name: string, token: bigint): void {
    const lease = this.#lease(name);
    if (lease.owner === id && lease.token === token) lease.owner = undefined;
  }

  finish(id: string): void {
    for (const lease of this.leases.values()) if (lease.owner === id) lease.owner = undefined;
    this.#owners.delete(id);
  }

  #lease(name: string): Lease {
    let lease = this.leases.get(name);
    if (lease === undefined) this.leases.set(name, (lease = { owner: undefined, token: 0n }));
    return lease;
  }
}

let owners = 0;

class ModelAdapter implements Adapter {
  readonly #engine: ModelEngine;
  readonly #process: ModelProcess;
  readonly #network: Network;
  readonly #id = `owner ${(owners += 1)}`;
  readonly #ttl: number;
  #epoch = 0;

  constructor(engine: ModelEngine, process: ModelProcess, network: Network, ttl: number) {
    this.#engine = engine;
    this.#process = process;
    this.#network = network;
    this.#ttl = ttl;
  }

  begin = () => this.#send(() => this.#engine.begin(this.#id, this.#ttl));
  beat = () => this.#send(() => this.#engine.beat(this.#id));
  release = (name: string, token: bigint) => this.#send(() => this.#engine.release(this.#id, name, token));
  finish = () => this.#send(() => this.#engine.finish(this.#id));

  acquire(asked: Asked): Promise<Answer> {
    const epoch = this.#epoch;
    // One that was answered does not come again: a connection delivers what was sent once, or not at all.
    return this.#send(() => this.#engine.acquire(this.#id, epoch, asked), false);
  }

  async cancel(name: string): Promise<boolean> {
    const epoch = this.#epoch;
    const answer = await this.#send(() => this.#engine.cancel(this.#id, epoch, name));
    this.#epoch = Math.max(this.#epoch, answer.epoch);
    return answer.isDone;
  }

  #send<T>(work: () => T, mayComeTwice = true): Promise<T> {
    return sendOver(this.#network, this.#engine, this.#process, this.#ttl, work, mayComeTwice);
  }
}
