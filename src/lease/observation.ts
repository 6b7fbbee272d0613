// One's own eyes as evidence: a holder whose mark has not changed for its whole
// ttl, on the asker's clock, has not been heard of by the engine for so long. It
// takes no other clock, and is right whatever that of the engine does.

import type { Held } from "./adapter.ts";

export class Observation {
  #mark: string | undefined;
  #since = 0;
  #ttl = 0;

  /** Notes what an answer has told. @param at the time after the answer */
  see({ mark, ttl }: Held, at: number): void {
    if (mark !== this.#mark) this.#since = at;
    this.#mark = mark;
    this.#ttl = ttl;
  }

  /** Forgets all: a look has failed, and while an engine is away every holder stands still. */
  restart(): void {
    this.#mark = undefined;
  }

  /** Returns the mark that has stood still for long enough. @param at the time before it is used */
  stoodStill(at: number): string | undefined {
    return at - this.#since >= this.#ttl ? this.#mark : undefined;
  }

  /** Returns in how many milliseconds the mark will have stood still for long enough; never, where it has been used. */
  due(at: number): number {
    const due = this.#since + this.#ttl - at;
    return due > 0 ? due : Number.POSITIVE_INFINITY;
  }
}
