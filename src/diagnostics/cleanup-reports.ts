// What this package says about cleanups.

import { inspect } from "../platform/node-builtins.ts";
import { cutAtCleanup } from "../registry/call-cleanup.ts";
import { placeOf } from "../registry/call-site.ts";
import type { Registration } from "../registry/registration.ts";
import type { CleanupReport } from "../settings/settings.ts";

/** Composes the report of a cleanup that threw, or whose promise was rejected. */
export function failureReport(cleanup: Registration, error: unknown): CleanupReport {
  return composed("failed", cleanup, () => `failed: ${indented(describeError(error))}`, error);
}

/** Composes the report of a cleanup that had its time, in milliseconds, and has not ended. */
export function givenUpReport(cleanup: Registration, elapsed: number, blocked: boolean): CleanupReport {
  const what = blocked ? "blocked the event loop and was stopped" : "has not settled and was given up";
  return composed("given up", cleanup, () => `${what} after ${Math.round(elapsed)} ms`);
}

/** How many cleanups one report names. */
const ROWS = 20;

/** Composes the report of cleanups that were called, when the process ends before their promises have settled. */
export function notAwaitedReport(cleanups: readonly Registration[], why: string): CleanupReport {
  return composed("not awaited", cleanups, () => {
    const rows = cleanups.slice(0, ROWS).map((cleanup) => `\n    ${titled(cleanup)}${registeredAt(cleanup)}`);
    const more = cleanups.length > ROWS ? `\n    and ${cleanups.length - ROWS} more` : "";
    return `not awaited, since ${why}:${rows.join("")}${more}`;
  });
}

/** Composes the report of cleanups that were registered when there was no time left. */
export function notCalledReport(count: number): CleanupReport {
  const what = `${count} cleanup${count === 1 ? "" : "s"} registered after the grace period was over`;
  return composed("not called", [], () => `not called: ${what}`);
}

/** Composes what a person who may be watching is told, when the shutdown takes long. */
export function waitingReport(cleanup: Registration, left: number): CleanupReport {
  const rest = `at most ${Math.ceil(left / 1000)} s more; Ctrl-C ends the process at once`;
  return composed("waiting", [cleanup], () => `waiting for cleanup ${titled(cleanup)}, ${rest}`);
}

/** What can be composed. A report that cannot be made is no failure of the cleanup, and ends no shutdown. */
function composed(
  kind: CleanupReport["kind"],
  about: Registration | readonly Registration[],
  compose: () => string,
  error?: unknown,
): CleanupReport {
  const [first] = [about].flat();
  let text = "a report about a cleanup could not be made";
  try {
    text = about === first ? `cleanup ${titled(first)} ${compose()}${registeredAt(first)}` : compose();
  } catch {
    // The program has replaced what this stands on, a method of String for one.
  }
  return { kind, cleanup: first?.title, error, place: placeOf(first?.site), text };
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
