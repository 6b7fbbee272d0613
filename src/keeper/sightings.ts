// What a keeper has seen of silent owners, on its own clock.

import type { Suspect } from "../lease/recipe-store.ts";

interface Sighting {
  readonly mark: string;
  readonly since: number;
  readonly ttl: number;
}

export class Sightings {
  #seen = new Map<string, Sighting>();

  /** Notes an answer. Whoever is not in it has been heard of, or is gone. @param at the time after the answer */
  see(suspects: readonly Suspect[], at: number): void {
    const seen = new Map<string, Sighting>();
    for (const { owner, mark, ttl } of suspects) {
      const before = this.#seen.get(owner);
      seen.set(owner, before?.mark === mark ? { ...before, ttl } : { mark, since: at, ttl });
    }
    this.#seen = seen;
  }

  /** Forgets all: a look has failed, and while an engine is away everybody stands still. */
  clear(): void {
    this.#seen.clear();
  }

  forget(owner: string): void {
    this.#seen.delete(owner);
  }

  /** Those whose mark has stood still for their ttl. */
  stoodStill(suspects: readonly Suspect[], at: number): Suspect[] {
    return suspects.filter(({ owner }) => this.#due(owner) <= at);
  }

  #due(owner: string): number {
    const sighting = this.#seen.get(owner);
    return sighting === undefined ? Number.POSITIVE_INFINITY : sighting.since + sighting.ttl;
  }
}
