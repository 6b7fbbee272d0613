// The place where a cleanup was registered, for a report of its failure. Taking a
// call's place costs more than the registration itself, so there is a budget.

import { process } from "../platform/process.ts";

/** How many places are taken down in a second: about half a percent of its time. */
const PER_SECOND = 1_000;

/** A place in the program; V8 formats it when `stack` is first read. */
export interface CallSite {
  readonly stack?: string;
}

let left = PER_SECOND;
let renewedAt = 0;
let refused = 0;

/**
 * The place that called `callee`, or `undefined` where the budget of this
 * second is spent.
 */
export function callSite(callee: (...args: never[]) => unknown): CallSite | undefined {
  if (left === 0) {
    // A look at the clock costs as much as a registration: at every 64th only.
    refused = (refused + 1) & 63;
    if (refused !== 0 || process.uptime() - renewedAt < 1) return undefined;
    left = PER_SECOND;
  }
  if (left === PER_SECOND) renewedAt = process.uptime();
  left -= 1;
  const site: CallSite = {};
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 1;
    Error.captureStackTrace(site, callee);
    Error.stackTraceLimit = limit;
  } catch {
    return undefined; // Error is frozen
  }
  return site;
}

/**
 * Takes the place down as text now. Until then V8 keeps the `this` of the
 * caller alive with it.
 */
export function settle(site: CallSite | undefined): void {
  placeOf(site);
}

/** `file:///app/main.js:3:1`, or with its function: `open (file:///app/main.js:3:1)`. */
export function placeOf(site: CallSite | undefined): string | undefined {
  try {
    return site?.stack?.match(/^\s+at (.*)$/m)?.[1];
  } catch {
    return undefined; // the program's own Error.prepareStackTrace threw
  }
}
