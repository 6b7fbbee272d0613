// A network that delays, loses, doubles and re-orders what is sent.

import type { Adapter } from "../../../src/lease/adapter.ts";
import type { ModelProcess, World } from "./world.ts";

/** How often what goes wrong, as probabilities. */
export interface Network {
  lost: number;
  doubled: number;
  /** What was sent arrives though its sender was told that it failed. */
  stalled: number;
  /** What takes up to half a ttl, each way. */
  slow: number;
}

/** An engine in a world with a virtual time. */
export interface TestedEngine {
  readonly world: World;
  /** It answers nothing until then. */
  awayUntil: number;
  /** By how much its wall clock is ahead. */
  clockOffset: number;
  /** Called when a lease is granted. */
  granted: (name: string, token: bigint) => void;
  readonly isOwnerEach?: boolean;
  connect(process: ModelProcess, network: Network, ttl: number): Adapter;
}

export function sendOver<T>(
  network: Network,
  engine: TestedEngine,
  process: ModelProcess,
  ttl: number,
  work: () => T,
  mayComeTwice: boolean,
): Promise<T> {
  const { world } = engine;
  const delay = () => world.between(0.2, world.chance(network.slow) ? ttl / 2 : 20);
  return new Promise((resolve, reject) => {
    const carryOut = (answered: (how: () => void) => void) => {
      const wait = engine.awayUntil - world.time;
      if (wait > 0) {
        world.in(wait + world.random() * 20, () => carryOut(answered));
        return;
      }
      try {
        const value = work();
        answered(() => resolve(value));
      } catch (error) {
        const failure = error as Error;
        answered(() => reject(failure));
      }
    };
    const answer = (how: () => void) => {
      if (process.isCutOff || world.chance(network.lost)) return; // the core has its time-out
      world.in(delay(), () => process.does(how));
    };
    if (process.isCutOff || world.chance(network.lost)) return;
    const arrival = delay();
    world.in(arrival, () => carryOut(answer));
    if (mayComeTwice && world.chance(network.doubled)) {
      world.in(arrival + world.between(0, 3 * ttl), () => carryOut(() => {}));
    }
    if (!world.chance(network.stalled)) return;
    world.in(arrival / 2, () => process.does(() => reject(new Error("the connection was reset"))));
  });
}
