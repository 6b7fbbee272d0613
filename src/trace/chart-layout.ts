// The layout that all pictures of a shutdown share: the time they show, the cost
// of each cleanup, and the chain that made the total. Times are milliseconds.

import { lengthOf, type Row, type RowOutcome, type ShutdownHistory } from "./shutdown-history.ts";
import type { ExitKind } from "../registry/exit-reason.ts";
import type { ToldExit } from "./trace-step.ts";

/** The span of time that a picture shows, counted from the shutdown's beginning. */
export interface Axis {
  readonly length: number;
  /** The end of the grace period, where it is in the picture. */
  readonly deadline: number | undefined;
  /** Round times, from 0 on. */
  readonly ticks: readonly number[];
}

/** The place of a cleanup in the picture, counted from the shutdown's beginning. */
export interface Bar {
  readonly kind: "ran" | "replayed";
  readonly from: number;
  readonly to: number;
}

/** How far behind the end a deadline is left out, in lengths of the shutdown. */
const FAR = 1.25;

/** How long after the end the work of another process is still in the picture, in milliseconds. */
const LATER = 5_000;

/** Returns how long a shutdown took; never nothing, since shares of it are told. */
export function totalOf({ beganAt, endedAt }: ShutdownHistory): number {
  return Math.max(endedAt - beganAt, 0.001);
}

export function axisOf(history: ShutdownHistory): Axis {
  const ended = totalOf(history);
  const replays = history.rows.flatMap((row) => barsOf(row, history).map(({ to }) => to));
  const end = replays.reduce((most, to) => Math.max(most, to), ended);
  const until = history.deadline === undefined ? undefined : history.deadline - history.beganAt;
  const deadline = until !== undefined && until >= 0 && until <= end * FAR ? until : undefined;
  const length = Math.max(end, deadline ?? 0) * 1.001;
  return { length, deadline, ticks: ticksOf(length) };
}

/** Returns ticks at one, two or five of some power of ten, some five to a picture. */
function ticksOf(length: number): number[] {
  const power = 10 ** Math.floor(Math.log10(length / 5));
  const step = [1, 2, 5, 10].map((of) => of * power).find((each) => length / each <= 7) ?? length;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
}

export function barsOf(row: Row, { beganAt, endedAt }: ShutdownHistory): Bar[] {
  const bars: Bar[] = [];
  const { startedAt, replay } = row;
  if (startedAt !== undefined) {
    bars.push(barOf("ran", startedAt - beganAt, (row.endedAt ?? endedAt) - beganAt));
  }
  if (replay !== undefined && replay.startedAt - endedAt < LATER) {
    bars.push(barOf("replayed", replay.startedAt - beganAt, (replay.endedAt ?? replay.startedAt) - beganAt));
  }
  return bars;
}

/** A clock may have jumped, and a trace may lie: no bar begins before the picture, or ends before it begins. */
function barOf(kind: Bar["kind"], from: number, to: number): Bar {
  const begins = Math.max(0, from);
  return { kind, from: begins, to: Math.max(begins, to) };
}

/** Returns the text of a row beside its bar. */
export function labelOf(row: Row, { endedAt }: ShutdownHistory): string {
  const { outcome, startedAt, replay } = row;
  const parts: string[] = [];
  if (startedAt !== undefined && row.endedAt !== undefined) parts.push(duration(lengthOf(row)));
  if (outcome !== "ok") parts.push(outcome);
  if (replay !== undefined) {
    const later = replay.startedAt - endedAt;
    if (later >= LATER) parts.push(`${duration(later)} later`);
    if (outcome === "not done" && replay.outcome !== undefined) parts.push(`(${replay.by}: ${replay.outcome})`);
  }
  return parts.join(" ");
}

/** The time that a cleanup took itself, without the cleanups that it ran. */
export interface Blamed {
  readonly row: Row;
  readonly own: number;
}

/** Returns the cleanups with their own time, the longest first. */
export function blame({ rows, endedAt }: ShutdownHistory): Blamed[] {
  const inner = innerRows(rows);
  return rows
    .filter((row) => row.startedAt !== undefined)
    .map((row) => {
      const from = row.startedAt ?? 0;
      const to = Math.max(from, row.endedAt ?? endedAt);
      return { row, own: to - from - covered(takenFrom(inner, row.n), from, to) };
    })
    .sort((a, b) => b.own - a.own);
}

function innerRows(rows: readonly Row[]): Map<number | undefined, Row[]> {
  const inner = new Map<number | undefined, Row[]>();
  for (const row of rows) {
    if (row.startedAt === undefined) continue;
    const beside = inner.get(row.within);
    if (beside === undefined) inner.set(row.within, [row]);
    else beside.push(row);
  }
  return inner;
}

/** Returns the rows within one, for whoever asks first: two with one number, or in a circle, are not gone through twice. */
function takenFrom(inner: Map<number | undefined, Row[]>, n: number | undefined): readonly Row[] {
  const rows = n === undefined ? undefined : inner.get(n);
  inner.delete(n);
  return rows ?? [];
}

/** Returns how much of the time from `from` to `to` the rows take together. */
function covered(rows: readonly Row[], from: number, to: number): number {
  let total = 0;
  let at = from;
  for (const { startedAt = from, endedAt = to } of [...rows].sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0))) {
    const begins = Math.max(at, startedAt);
    const ends = Math.min(to, endedAt);
    if (ends > begins) {
      total += ends - begins;
      at = ends;
    }
  }
  return total;
}

/** One part of the chain: a cleanup that was waited for, or the time between two. */
export interface Link {
  /** The cleanup; `undefined` of time in which no cleanup was waited for. */
  readonly row: Row | undefined;
  /** The kind of that time. */
  readonly gap: "before the first cleanup" | "between cleanups" | "after the last cleanup" | "itself" | undefined;
  /** Counted from the shutdown's beginning. */
  readonly from: number;
  readonly length: number;
  /** The chain within it: cleanups that this one ran and waited for. */
  readonly inner: readonly Link[];
}

/** How deep the chain is taken apart. */
const DEEPEST = 100;

/** Returns the parts of the total, from the beginning to the end: a shorter part makes a shorter shutdown. */
export function criticalPath(history: ShutdownHistory): Link[] {
  const inner = innerRows(history.rows);
  const outer = inner.get(undefined) ?? [];
  return chain(outer, inner, history.beganAt, history.endedAt, 0, history);
}

/** Builds a chain backwards from the end: the cleanup that ended last was waited for, from its beginning on. */
function chain(
  rows: readonly Row[],
  inner: Map<number | undefined, Row[]>,
  from: number,
  to: number,
  depth: number,
  history: Pick<ShutdownHistory, "beganAt" | "endedAt">,
): Link[] {
  const { beganAt, endedAt } = history;
  const ends = (row: Row) => row.endedAt ?? endedAt;
  const isInner = from !== beganAt || to !== endedAt;
  const links: Link[] = [];
  let at = to;
  const gapUntil = (since: number, gap: Link["gap"]) => {
    if (at > since) links.push({ row: undefined, gap, from: since - beganAt, length: at - since, inner: [] });
  };
  for (const row of [...rows].sort((a, b) => ends(b) - ends(a) || (b.startedAt ?? 0) - (a.startedAt ?? 0))) {
    const startedAt = Math.max(from, row.startedAt ?? from);
    if (startedAt >= at && links.length > 0) continue;
    const end = Math.max(startedAt, Math.min(ends(row), at));
    gapUntil(end, isInner ? "itself" : links.length === 0 ? "after the last cleanup" : "between cleanups");
    const own = depth < DEEPEST ? takenFrom(inner, row.n) : [];
    const within = own.length === 0 ? [] : chain(own, inner, startedAt, end, depth + 1, history);
    links.push({ row, gap: undefined, from: startedAt - beganAt, length: end - startedAt, inner: within });
    at = startedAt;
  }
  gapUntil(from, isInner ? "itself" : "before the first cleanup");
  return links.reverse();
}

/** Returns a time for people, with as many digits as needed. */
export function duration(milliseconds: number): string {
  if (milliseconds < 0.995) return `${milliseconds.toFixed(2)} ms`;
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1_000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Returns a mark on the axis: `0`, `200 ms`, `1.5 s`. */
export function tick(milliseconds: number): string {
  if (milliseconds === 0) return "0";
  return milliseconds < 1_000
    ? `${Number(milliseconds.toPrecision(6))} ms`
    : `${Number((milliseconds / 1_000).toPrecision(6))} s`;
}

/** Returns a line that names the program and the way out. */
export function headline({ exit, program, pid, thread }: ShutdownHistory): string {
  const way = exit === undefined ? "killed" : wayOut(exit);
  return `${program} (pid ${pid}, ${thread}): ${way}`;
}

function wayOut({ kind, signal, code }: ToldExit): string {
  if (!Object.hasOwn(WAYS, kind)) return kind; // a newer version has written it
  return WAYS[kind as ExitKind].replace("%", () => signal ?? String(code ?? "?"));
}

const WAYS: Readonly<Record<ExitKind, string>> = {
  end: "the event loop was empty",
  exit: "exit(%)",
  uncaughtException: "uncaught exception",
  unhandledRejection: "unhandled rejection",
  signal: "%",
  disconnect: "the parent has gone",
  parent: "the parent has ended",
};

/** Returns a line that tells the shutdown's result and length. */
export function summary(history: ShutdownHistory): string {
  const { outcome, beganAt, endedAt, grace, rows, leftOut, exit } = history;
  const took = duration(endedAt - beganAt);
  const count = rows.length + leftOut.count + leftOut.neverRan;
  const cleanups = `${count} cleanup${count === 1 ? "" : "s"}`;
  const bad = [...countsOf(rows)].filter(([name]) => name !== "ok").map(([name, of]) => `${of} ${name}`);
  if (leftOut.neverRan > 0) bad.push(`${leftOut.neverRan} more never ran`);
  const of = bad.length === 0 ? "" : ` (${bad.join(", ")})`;
  if (exit === undefined) return `killed without a shutdown; ${cleanups}${of} carried out by another process`;
  const graceful = grace === undefined ? "" : ` of a grace period of ${duration(grace)}`;
  const how = {
    ok: `took ${took}${graceful}`,
    failed: `took ${took}${graceful}`,
    "given up": `given up after ${took}${graceful}`,
    "cut off": `cut off: nothing is known after ${took}${graceful}`,
  }[outcome];
  return `${how}; ${cleanups}${of}`;
}

function countsOf(rows: readonly Row[]): Map<RowOutcome, number> {
  const counts = new Map<RowOutcome, number>();
  for (const { outcome } of rows) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

/** Returns a line about the cleanups that are not among the rows, or `undefined`. */
export function leftOutOf({ leftOut: { count, total, neverRan } }: ShutdownHistory): string | undefined {
  const parts = [];
  if (count > 0)
    parts.push(`${count} shorter cleanup${count === 1 ? "" : "s"}${total > 0 ? `, ${duration(total)} together` : ""}`);
  if (neverRan > 0) parts.push(`${neverRan} that never ran`);
  return parts.length === 0 ? undefined : `left out: ${parts.join(", and ")}`;
}
