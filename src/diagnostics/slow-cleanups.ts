// The cleanups that took long or did not end well, which a shutdown remembers
// also without subscribers. A shutdown that passes its deadline can
// say why.

import type { Outcome } from "../registry/outcome.ts";
import type { Registration } from "../registry/registration.ts";

/** A cleanup that a shutdown has called; times on the clock of now(). */
export interface CalledCleanup {
  readonly cleanup: Registration;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: Outcome;
}

/** A cleanup that ends well and sooner than this is only counted, in milliseconds. */
export const SHORT = 1;

/** How many are remembered. */
const MOST = 1_000;

export class SlowCleanups {
  readonly remembered: CalledCleanup[] = [];
  /** How many are not remembered. */
  others = 0;
  readonly beganAt: number;

  /** @param beganAt when the shutdown began, on the clock of now() */
  constructor(beganAt: number) {
    this.beganAt = beganAt;
  }

  add(cleanup: Registration, startedAt: number, endedAt: number, outcome: Outcome): void {
    const isShort = outcome === "ok" && endedAt - startedAt < SHORT;
    if (isShort || this.remembered.length === MOST) this.others += 1;
    else this.remembered.push({ cleanup, startedAt, endedAt, outcome });
  }
}
