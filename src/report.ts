// What this package says on stderr, each line beginning with its name. It is
// written past process.stderr, which may be closed, replaced, or not yet open.

import { builtin, inspect } from "./builtin.js";
import { placeOf } from "./call-site.js";
import type { Registration } from "./registration.js";

/** How often a full pipe is asked again, 1 ms apart, before the rest is given up. */
const FULL_PIPE_TRIES = 500;

/** Writes to file descriptor 2, whole and at once. */
export function writeError(text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0, tries = 0; written < bytes.length && tries < FULL_PIPE_TRIES;) {
    try {
      written += builtin("fs").writeSync(2, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return; // nobody reads any more
      tries += 1;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Writes one message of this package. */
export function report(message: string): void {
  writeError(`atexit: ${message}\n`);
}

/** A cleanup threw, or its promise was rejected. */
export function reportFailure(cleanup: Registration, error: unknown): void {
  report(`cleanup ${titled(cleanup)} failed: ${indented(describeError(error))}${registeredAt(cleanup)}`);
}

/** A cleanup had its time and has not ended. */
export function reportGivenUp(cleanup: Registration, elapsed: number, blocked: boolean): void {
  const what = blocked ? "blocked the event loop and was stopped" : "has not settled and was given up";
  report(`cleanup ${titled(cleanup)} ${what} after ${Math.round(elapsed)} ms${registeredAt(cleanup)}`);
}

/** How many cleanups one report names. */
const ROWS = 20;

/** These have been called, and the process ends before their promises have settled. */
export function reportNotAwaited(cleanups: readonly Registration[], why: string): void {
  const rows = cleanups.slice(0, ROWS).map((cleanup) => `\n    ${titled(cleanup)}${registeredAt(cleanup)}`);
  const more = cleanups.length > ROWS ? `\n    and ${cleanups.length - ROWS} more` : "";
  report(`not awaited, since ${why}:${rows.join("")}${more}`);
}

/** These were registered when there was no time left. */
export function reportNotCalled(count: number): void {
  report(`not called: ${count} cleanup${count === 1 ? "" : "s"} registered after the grace period was over`);
}

/** A shutdown is taking long, and a person may be watching. */
export function reportWaiting(cleanup: Registration, left: number): void {
  report(
    `waiting for cleanup ${titled(cleanup)}, at most ${Math.ceil(left / 1000)} s more; Ctrl-C ends the process at once`,
  );
}

/** The name of a cleanup, for a person. */
function titled(cleanup: Registration): string {
  const { title } = cleanup;
  return title === "(anonymous)" ? title : JSON.stringify(title);
}

function registeredAt(cleanup: Registration): string {
  const place = placeOf(cleanup.about?.site);
  return place === undefined ? "" : `\n      registered at ${place}`;
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n    ");
}

/** A frame; behind the last one the error's own properties may begin. */
const FRAMES = /\n +at .*?( \{)?$/gm;

/** The error as Node shows it, without the frames of this package, which say nothing about the cleanup. */
export function describeError(error: unknown): string {
  const own = ["index.js", "durable.js"].map((file) => new URL(file, import.meta.url).href);
  own.push("node:diagnostics_channel");
  return inspect(error, { depth: 2 }).replaceAll(FRAMES, (line, brace = "") =>
    own.some((file) => line.includes(file)) ? brace : line,
  );
}
