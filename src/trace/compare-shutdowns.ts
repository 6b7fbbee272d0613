// Compares several shutdowns of one program: the median, the worst, and the
// changes. Times are milliseconds.

import { blame } from "./chart-layout.ts";
import type { ShutdownHistory } from "./shutdown-history.ts";

export interface Comparison {
  readonly program: string;
  /** The number of shutdowns. */
  readonly shutdowns: number;
  readonly median: number;
  readonly worst: number;
  readonly latest: number;
  /** The number of shutdowns that did not end well. */
  readonly failed: number;
  /** The cleanups, those that changed most first. */
  readonly cleanups: readonly Compared[];
}

/** A cleanup, with all others of its name but for the numbers in it. */
interface Compared {
  readonly name: string;
  /** The number of shutdowns in which it ran. */
  readonly shutdowns: number;
  readonly median: number;
  readonly worst: number;
  /** Its time in the latest shutdown; `undefined` where it did not run in it. */
  readonly latest: number | undefined;
  /** Its latest time less the median of those before; `undefined` where there is nothing to compare. */
  readonly change: number | undefined;
  readonly isNew: boolean;
}

/** Returns a comparison for each program with more than one shutdown. */
export function compare(histories: readonly ShutdownHistory[]): Comparison[] {
  return [...byProgram(histories).values()].filter((group) => group.length > 1).map(compareOne);
}

function byProgram(histories: readonly ShutdownHistory[]): Map<string, ShutdownHistory[]> {
  const groups = new Map<string, ShutdownHistory[]>();
  for (const history of histories) {
    const group = groups.get(history.program);
    if (group === undefined) groups.set(history.program, [history]);
    else group.push(history);
  }
  return groups;
}

function compareOne(histories: readonly ShutdownHistory[]): Comparison {
  const inOrder = [...histories].sort((a, b) => a.beganAt - b.beganAt);
  const totals = inOrder.map(({ beganAt, endedAt }) => endedAt - beganAt);
  const cleanups = [...timesByName(inOrder)].map(([name, times]) => comparedOf(name, times, inOrder.length - 1));
  const size = ({ change, isNew, latest }: Compared) => (isNew ? (latest ?? 0) : Math.abs(change ?? 0));
  return {
    program: (histories[0] as ShutdownHistory).program,
    shutdowns: histories.length,
    median: median(totals),
    worst: greatest(totals),
    latest: totals.at(-1) as number,
    failed: histories.filter(({ outcome }) => outcome !== "ok").length,
    cleanups: cleanups.sort((a, b) => size(b) - size(a)),
  };
}

/** The time of a cleanup in a shutdown. */
interface TimeIn {
  /** The number of the shutdown, from 0. */
  readonly shutdown: number;
  readonly time: number;
}

function timesByName(histories: readonly ShutdownHistory[]): Map<string, TimeIn[]> {
  const byName = new Map<string, TimeIn[]>();
  histories.forEach((history, shutdown) => {
    for (const [name, time] of timesOf(history)) {
      const times = byName.get(name);
      if (times === undefined) byName.set(name, [{ shutdown, time }]);
      else times.push({ shutdown, time });
    }
  });
  return byName;
}

/** @param last the number of the latest shutdown */
function comparedOf(name: string, times: readonly TimeIn[], last: number): Compared {
  const all = times.map(({ time }) => time);
  const latest = times.at(-1)?.shutdown === last ? all.at(-1) : undefined;
  const before = latest === undefined ? all : all.slice(0, -1);
  const isNew = before.length === 0;
  return {
    name,
    shutdowns: all.length,
    median: median(all),
    worst: greatest(all),
    latest,
    change: isNew || latest === undefined ? undefined : latest - median(before),
    isNew,
  };
}

function timesOf(history: ShutdownHistory): Map<string, number> {
  const times = new Map<string, number>();
  for (const { row, own } of blame(history)) {
    const name = nameless(row.name);
    times.set(name, (times.get(name) ?? 0) + own);
  }
  return times;
}

/** Returns a name without the parts that differ in each run: pids, times, random parts. */
function nameless(name: string): string {
  return name.replaceAll(/[0-9a-zA-Z]{4,}/g, (word) => (/\d/.test(word) ? "…" : word));
}

/** Returns the greatest of numbers, of which there may be more than a function takes as arguments. */
function greatest(numbers: readonly number[]): number {
  return numbers.reduce((most, each) => Math.max(most, each), 0);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return 0;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
