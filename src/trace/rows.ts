// Texts and classes of a row, as all pictures use them.

import { duration } from "./chart-layout.ts";
import type { Row, RowOutcome, ShutdownHistory } from "./shutdown-history.ts";

/** Returns the class that gives an outcome its colour: letters and dashes, whatever is given. */
export function classOf(outcome: RowOutcome): string {
  return outcome.replaceAll(/[^a-z]+/g, "-");
}

/** Returns the class of a row's outcome in its own process, where another process carried on. */
export function ownClassOf({ outcome, endedAt, replay }: Row): string {
  if (replay === undefined) return classOf(outcome);
  return classOf(endedAt === undefined ? "cut off" : "given up");
}

/** Returns all that is known of a row, a line each. */
export function detailsOf(row: Row, { beganAt }: ShutdownHistory): string[] {
  const { site, startedAt, endedAt, error, waitingOn, replay } = row;
  const lines: string[] = [];
  if (site !== undefined) lines.push(`registered at ${site}`);
  if (startedAt !== undefined) {
    const took = endedAt === undefined ? "and nothing tells of its end" : `took ${duration(endedAt - startedAt)}`;
    lines.push(`began after ${duration(Math.max(0, startedAt - beganAt))}, ${took}`);
  }
  for (const each of waitingOn ?? []) lines.push(`waiting on ${each}`);
  if (replay !== undefined) {
    const took = replay.endedAt === undefined ? "" : `, ${duration(replay.endedAt - replay.startedAt)}`;
    lines.push(`${replay.by} (pid ${replay.pid}): ${replay.outcome ?? "begun, and not ended"}${took}`);
    if (replay.why !== undefined) lines.push(replay.why);
  }
  if (error !== undefined) lines.push(error);
  return lines;
}

/** Returns the rows that did not end well, then the longest; in their order. */
export function longest(rows: readonly Row[], limit: number): readonly Row[] {
  if (rows.length <= limit) return rows;
  const weight = ({ outcome, startedAt = 0, endedAt = 0 }: Row) =>
    outcome === "ok" ? endedAt - startedAt : Number.MAX_VALUE;
  const kept = new Set([...rows].sort((a, b) => weight(b) - weight(a)).slice(0, limit));
  return rows.filter((row) => kept.has(row));
}
