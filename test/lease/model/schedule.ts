// One schedule: contenders for two leases, faults until a moment, and then quiet.
// What must never be is thrown; what must be seen to happen is counted.

import type { HeldLease } from "../../../src/lease/held-lease.ts";
import type { Hub } from "../../../src/lease/hub.ts";
import { ModelEngine } from "./engine.ts";
import type { Network, TestedEngine } from "./network.ts";
import { ModelProcess, World } from "./world.ts";

/** The core under test: a broken one is another. */
export type Core = { readonly Hub: typeof Hub };

export interface Counted {
  turns: number;
  lost: number;
  faults: number;
}

const TTL = 1_500;
const CONTENDERS = 3;
const NAMES = ["a", "b"] as const;
/** How long faults happen, how long they last at most, and within which time after them each lease changes hands, in milliseconds. */
const FAULTS = 6 * TTL;
const LONGEST = 2.5 * TTL;
const QUIET = 8 * TTL;

/** Whose turn it was when a token was granted, with what its holder has been told. */
interface Turn {
  readonly lease: HeldLease;
  readonly process: ModelProcess;
  signalled: boolean;
}

/** @throws what the checker has seen: a double holder, a token that does not grow, no signal, a standstill */
export async function runSchedule(
  seed: number,
  { Hub: HubClass }: Core,
  makeEngine: (world: World) => TestedEngine = (world) => new ModelEngine(world),
): Promise<Counted> {
  const world = new World(seed);
  const engine = makeEngine(world);
  const counted: Counted = { turns: 0, lost: 0, faults: 0 };
  const violations: string[] = [];
  const broken = (what: string) => violations.push(`seed ${seed}, at ${Math.round(world.time)} ms: ${what}`);
  const network: Network = {
    lost: world.random() * 0.2,
    doubled: world.random() * 0.1,
    stalled: world.random() * 0.2,
    slow: world.random() * 0.3,
  };
  /** A turn may be observed to be over by one's own eyes alone. */
  const observedOnly = world.chance(0.3);
  const turns = new Map<string, Turn>();
  const greatest = new Map<string, bigint>();
  const lastBegun = new Map<string, number>();

  engine.granted = (name, token) => {
    if (token <= (greatest.get(name) ?? 0n))
      broken(`token ${token} of ${name} was granted after ${greatest.get(name)}`);
    greatest.set(name, token);
    const turn = turns.get(name);
    if (turn === undefined || turn.signalled) return;
    const { process } = turn;
    const couldTell = process.isAlive && !process.isPaused && world.time - process.resumedAt > 1;
    if (couldTell) broken(`${name} was granted anew, and ${process.name} had no signal`);
  };

  const contend = async (process: ModelProcess, hub: Hub, last: "a" | "b"): Promise<void> => {
    while (process.isAlive) {
      // Who has given up must not keep a lease from others by never asking again.
      const name = world.time > FAULTS ? last : world.chance(0.5) ? "a" : "b";
      let lease: HeldLease;
      try {
        const wait = world.time > FAULTS ? QUIET : world.between(0, 2 * TTL);
        lease = await hub.take({ name, wait, observedOnly });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ERR_ATEXIT_LEASE_HELD" && code !== "ERR_ATEXIT_ENGINE") broken(String(error));
        await process.sleep(world.between(10, TTL / 4));
        continue;
      }
      counted.turns += 1;
      lastBegun.set(name, world.time);
      const turn: Turn = { lease, process, signalled: false };
      turns.set(name, turn);
      lease.signal.addEventListener("abort", () => (turn.signalled = true));
      const steps = Math.floor(world.between(1, 20));
      let isHeld = true;
      for (let step = 0; step < steps && isHeld; step += 1) {
        isHeld = lease.isHeld();
        const newest = greatest.get(name) as bigint;
        if (isHeld && newest > lease.token) {
          broken(
            `${process.name} was told that it holds ${name} with token ${lease.token}, after ${newest} was granted`,
          );
        }
        await process.sleep(world.between(1, TTL / 6));
      }
      if (!isHeld) counted.lost += 1;
      if (world.chance(0.9)) {
        turn.signalled = true; // it knows by itself
        await lease.release();
      } else await process.sleep(world.between(0, 2 * TTL)).then(() => lease.release());
      await process.sleep(world.between(0, TTL / 6));
    }
  };

  let started = 0;
  const start = (at: number): ModelProcess => {
    const process = new ModelProcess(world, `contender ${(started += 1)}`);
    const hub = new HubClass({
      engine: "the model",
      ttl: TTL,
      margin: undefined,
      clock: process.clock,
      isOwnerEach: engine.isOwnerEach === true,
      connect: () => ({
        adapter: engine.connect(process, network, TTL),
        owner: process.name,
        guardWith: () => {},
        ended: () => {},
      }),
      died: () => {},
    });
    const failed = (error: unknown) => broken(`a contender failed: ${String((error as Error).stack)}`);
    const last = at % 2 === 0 ? "a" : "b";
    for (let n = 0; n < 2; n += 1) contend(process, hub, last).catch(failed);
    keepOwn(process, hub).catch(failed);
    return process;
  };

  /** A session lives as long as it has a lease: this one has always one. */
  const keepOwn = async (process: ModelProcess, hub: Hub): Promise<void> => {
    while (process.isAlive) {
      const lease = await hub.take({ name: process.name, wait: 0, observedOnly }).catch(() => undefined);
      do await process.sleep(TTL / 2);
      while (lease?.isHeld() === true);
    }
  };

  const processes = Array.from({ length: CONTENDERS }, (_, at) => start(at));
  const strike = (): void => {
    if (world.time > FAULTS) {
      Object.assign(network, { lost: 0, doubled: 0, stalled: 0, slow: 0 });
      return;
    }
    const at = Math.floor(world.random() * CONTENDERS);
    const process = processes[at] as ModelProcess;
    const kind = world.random();
    const long = world.between(0, LONGEST);
    if (kind < 0.35) process.pause(long);
    else if (kind < 0.65) process.cutOffUntil = world.time + long;
    else if (kind < 0.8) engine.awayUntil = world.time + long;
    else if (kind < 0.9) {
      process.isAlive = false;
      processes[at] = start(at);
    } else if (observedOnly) engine.clockOffset += world.between(-3.6e6, 3.6e6);
    else engine.clockOffset -= world.between(0, 3.6e6);
    counted.faults += 1;
    world.in(world.between(TTL / 10, TTL), strike);
  };
  world.in(world.between(0, TTL), strike);

  const quiet = FAULTS + LONGEST;
  await world.run(quiet);
  const hasMoved = () => NAMES.every((name) => (lastBegun.get(name) ?? 0) > quiet);
  for (let end = quiet; end < quiet + QUIET && !hasMoved(); end += TTL / 4) await world.run(end);
  if (!hasMoved()) broken(`not every lease was taken any more: a standstill`);
  for (const process of processes) process.isAlive = false;
  if (violations.length > 0) throw new Error(violations.join("\n"));
  return counted;
}
