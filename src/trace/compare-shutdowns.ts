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
  for (const history of histories) groups.set(history.program, [...(groups.get(history.program) ?? []), history]);
  return groups;
}

function compareOne(histories: readonly ShutdownHistory[]): Comparison {
  const inOrder = [...histories].sort((a, b) => a.beganAt - b.beganAt);
  const totals = inOrder.map(({ beganAt, endedAt }) => endedAt - beganAt);
  const times = inOrder.map(timesOf);
  const names = [...new Set(times.flatMap((of) => [...of.keys()]))];
  const cleanups = names.map((name) => comparedOf(name, times));
  const size = ({ change, isNew, latest }: Compared) => (isNew ? (latest ?? 0) : Math.abs(change ?? 0));
  return {
    program: (histories[0] as ShutdownHistory).program,
    shutdowns: histories.length,
    median: median(totals),
    worst: Math.max(...totals),
    latest: totals.at(-1) as number,
    failed: histories.filter(({ outcome }) => outcome !== "ok").length,
    cleanups: cleanups.sort((a, b) => size(b) - size(a)),
  };
}

function comparedOf(name: string, times: readonly ReadonlyMap<string, number>[]): Compared {
  const all = times.flatMap((of) => of.get(name) ?? []);
  const latest = times.at(-1)?.get(name);
  const before = times.slice(0, -1).flatMap((of) => of.get(name) ?? []);
  const isNew = before.length === 0;
  return {
    name,
    shutdowns: all.length,
    median: median(all),
    worst: Math.max(...all),
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
  return name.replaceAll(/(?=[0-9a-zA-Z]*\d)[0-9a-zA-Z]{4,}/g, "…");
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return 0;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
