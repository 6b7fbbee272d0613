// A world with a virtual time and a seed: the same seed gives the same schedule.
// Processes have clocks of their own, which run unequally fast; they can be
// paused, when what is due waits and then comes in any order, or killed.

import type { Clock } from "../../../src/lease/clock.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  /** Milliseconds: the true time, which no process sees. */
  time = 0;
  readonly #events: Event[] = [];
  #order = 0;
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0 || 1;
  }

  /** A number from 0 to 1. Source: Marsaglia, Xorshift RNGs, 2003. */
  random(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) / 2 ** 32;
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  /** Whether something happens that does so with this probability. */
  chance(probability: number): boolean {
    return this.random() < probability;
  }

  in(ms: number, run: () => void): void {
    const event = { at: this.time + Math.max(0, ms), order: this.#order++, run };
    const events = this.#events;
    let at = events.push(event) - 1;
    for (let above = (at - 1) >> 1; at > 0 && isBefore(event, events[above] as Event); above = (at - 1) >> 1) {
      events[at] = events[above] as Event;
      at = above;
    }
    events[at] = event;
  }

  /** Lets things happen until then; after each, everything that is ready in the event loop runs. */
  async run(end: number): Promise<void> {
    for (let event = this.#next(end); event !== undefined; event = this.#next(end)) {
      this.time = event.at;
      event.run();
      await new Promise(setImmediate);
    }
    this.time = end;
  }

  #next(end: number): Event | undefined {
    const events = this.#events;
    const [first] = events;
    if (first === undefined || first.at > end) return undefined;
    const last = events.pop() as Event;
    if (events.length === 0) return first;
    let at = 0;
    for (let below = 1; below < events.length; below = 2 * at + 1) {
      if (below + 1 < events.length && isBefore(events[below + 1] as Event, events[below] as Event)) below += 1;
      if (!isBefore(events[below] as Event, last)) break;
      events[at] = events[below] as Event;
      at = below;
    }
    events[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export class ModelProcess {
  readonly name: string;
  readonly #world: World;
  /** How fast its clock runs, and what it shows at first. */
  readonly #rate: number;
  readonly #offset: number;
  readonly #overdue: (() => void)[] = [];
  isAlive = true;
  pausedUntil = 0;
  resumedAt = Number.NEGATIVE_INFINITY;
  /** Nothing that it sends arrives, nor what is sent to it. */
  cutOffUntil = 0;

  constructor(world: World, name: string) {
    this.name = name;
    this.#world = world;
    this.#rate = world.between(0.97, 1.03);
    this.#offset = world.between(0, 1e6);
  }

  get isPaused(): boolean {
    return this.#world.time < this.pausedUntil;
  }

  get isCutOff(): boolean {
    return this.#world.time < this.cutOffUntil;
  }

  readonly clock: Clock = {
    now: () => this.#offset + this.#world.time * this.#rate,
    random: () => this.#world.random(),
    after: (ms, fn) => {
      let isStopped = false;
      this.#world.in(ms / this.#rate, () => this.does(() => isStopped || fn()));
      return () => {
        isStopped = true;
      };
    },
  };

  /** Does something when it can: not while it is paused, and never after its end. */
  does(what: () => void): void {
    if (!this.isAlive) return;
    if (this.isPaused) this.#overdue.push(what);
    else what();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve, true));
  }

  pause(ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.#world.time + ms);
    this.#world.in(this.pausedUntil - this.#world.time, () => this.#resume());
  }

  #resume(): void {
    if (this.isPaused) return;
    this.resumedAt = this.#world.time;
    // Answers may come before timers that were due earlier, and the program's own timers before those of the core.
    const overdue = this.#overdue.splice(0);
    const isReversed = this.#world.chance(0.5);
    for (const [n, what] of overdue.entries()) {
      const place = isReversed ? 1 - n / overdue.length : this.#world.random();
      this.#world.in(place / 1_000, () => this.does(what));
    }
  }
}
