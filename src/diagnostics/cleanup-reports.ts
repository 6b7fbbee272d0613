// What this package says on stderr about cleanups.

import { inspect } from "../platform/node-builtins.ts";
import { cutAtCleanup } from "../registry/call-cleanup.ts";
import { placeOf } from "../registry/call-site.ts";
import type { Registration } from "../registry/registration.ts";
import { report } from "./stderr.ts";

/** Reports a cleanup that threw, or whose promise was rejected. */
export function reportFailure(cleanup: Registration, error: unknown): void {
  say(() => `cleanup ${titled(cleanup)} failed: ${indented(describeError(error))}${registeredAt(cleanup)}`);
}

/** Reports a cleanup that had its time and has not ended. */
export function reportGivenUp(cleanup: Registration, elapsed: number, blocked: boolean): void {
  const what = blocked ? "blocked the event loop and was stopped" : "has not settled and was given up";
  say(() => `cleanup ${titled(cleanup)} ${what} after ${Math.round(elapsed)} ms${registeredAt(cleanup)}`);
}

/** Says what can be composed. A report that cannot be made is no failure of the cleanup, and ends no shutdown. */
function say(compose: () => string): void {
  let message = "a report about a cleanup could not be made";
  try {
    message = compose();
  } catch {
    // The program has replaced what this stands on, a method of String for one.
  }
  report(message);
}

/** How many cleanups one report names. */
const ROWS = 20;

/** Reports cleanups that were called, when the process ends before their promises have settled. */
export function reportNotAwaited(cleanups: readonly Registration[], why: string): void {
  say(() => {
    const rows = cleanups.slice(0, ROWS).map((cleanup) => `\n    ${titled(cleanup)}${registeredAt(cleanup)}`);
    const more = cleanups.length > ROWS ? `\n    and ${cleanups.length - ROWS} more` : "";
    return `not awaited, since ${why}:${rows.join("")}${more}`;
  });
}

/** Reports cleanups that were registered when there was no time left. */
export function reportNotCalled(count: number): void {
  say(() => `not called: ${count} cleanup${count === 1 ? "" : "s"} registered after the grace period was over`);
}

/** Tells a person who may be watching why the shutdown takes long. */
export function reportWaiting(cleanup: Registration, left: number): void {
  say(
    () =>
      `waiting for cleanup ${titled(cleanup)}, at most ${Math.ceil(left / 1000)} s more; Ctrl-C ends the process at once`,
  );
}

/** Shows an error as Node does, down to the cleanup's own frames. */
export function describeError(error: unknown): string {
  return cutAtCleanup(inspect(error, { depth: 2 }));
}

/** The name of a cleanup, for a person. */
function titled(cleanup: Registration): string {
  const { title } = cleanup;
  return title === "(anonymous)" ? title : JSON.stringify(title);
}

function registeredAt(cleanup: Registration): string {
  const place = placeOf(cleanup.site);
  return place === undefined ? "" : `\n      registered at ${place}`;
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n    ");
}
