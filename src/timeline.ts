// What a shutdown remembers, whether anybody looks or not: the cleanups that
// took long or did not end well. One that passes its deadline can say why.

import type { Outcome } from "./channels.js";
import type { Registration } from "./registration.js";

/** A cleanup that a shutdown has called; times on the clock of now(). */
export interface Step {
  readonly cleanup: Registration;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: Outcome;
}

/** What ends well and sooner than this is only counted, in milliseconds. */
export const SHORT = 1;

/** How many are remembered. */
const MOST = 1_000;

export class Timeline {
  readonly steps: Step[] = [];
  /** How many are not remembered. */
  others = 0;
  readonly beganAt: number;

  constructor(beganAt: number) {
    this.beganAt = beganAt;
  }

  add(cleanup: Registration, startedAt: number, endedAt: number, outcome: Outcome): void {
    if ((outcome === "ok" && endedAt - startedAt < SHORT) || this.steps.length === MOST) this.others += 1;
    else this.steps.push({ cleanup, startedAt, endedAt, outcome });
  }
}
