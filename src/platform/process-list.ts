// The processes of this system: who they are, and since when they have been there.

import { now } from "./node-builtins.ts";
import { process } from "./process.ts";
import type { Process } from "./system.ts";
import { system } from "./this-system.ts";

/** Returns all processes that are alive and can be seen; zombies are not among them. */
export function allProcesses(): Map<number, Process> {
  const found = new Map<number, Process>();
  for (const row of system.processes()) found.set(row.pid, row);
  return found;
}

/** How long after a process's start the pids cannot have been used up, and begun anew, in milliseconds. */
const YOUNG = 100;

/**
 * Returns the processes that have begun since a given one, which may have ended.
 * Where it began a moment ago, few have to be looked at, since pids are given in
 * turn.
 */
export function processesSince({ pid, start }: Pick<Process, "pid" | "start">): Map<number, Process> {
  const newest = system.newestPid();
  if (!(isYoung(start) && newest >= pid)) return allProcesses();
  const found = new Map<number, Process>();
  if (newest > pid) for (const row of system.processes((other) => other > pid)) found.set(row.pid, row);
  return found;
}

/** A moment, by the clock and by the pid that was given last. */
export interface Moment {
  /** In milliseconds. */
  readonly at: number;
  readonly newest: number;
}

export function thisMoment(): Moment {
  return { at: now(), newest: system.newestPid() };
}

/** Reports whether a pid has certainly been given to nobody since a moment. */
export function isUngivenSince(pid: number, { at, newest: first }: Moment): boolean {
  const last = system.newestPid();
  if (Number.isNaN(first) || Number.isNaN(last) || now() - at >= YOUNG) return false;
  const isAfterFirst = pid > first;
  const isUpToLast = pid <= last;
  return first <= last ? !(isAfterFirst && isUpToLast) : !(isAfterFirst || isUpToLast);
}

/** Reports whether two readings are of one process. A start of "0" is none that a system has told. */
export function isSame(
  one: Pick<Process, "pid" | "start"> | undefined,
  other: Pick<Process, "pid" | "start">,
): boolean {
  return one !== undefined && one.pid === other.pid && system.isSameStart(one.start, other.start) && one.start !== "0";
}

/** Returns the pids of this process and of those that it descends from, up to the first of all. */
export function ownLine(all: ReadonlyMap<number, Process> = new Map()): Set<number> {
  const line = new Set([1, process.pid]);
  for (let pid = process.ppid; pid > 1 && !line.has(pid);) {
    line.add(pid);
    pid = (all.get(pid) ?? system.processOf(pid))?.ppid ?? 0;
  }
  return line;
}

/** Reports whether a process began a moment ago. @param start in clock ticks, of which there are a hundred a second */
function isYoung(start: string): boolean {
  return system.exactUptime() * 1_000 - Number(start) * 10 < YOUNG;
}

/**
 * Returns a time in clock ticks: what has begun by it has begun before this call.
 * `undefined` where the system does not tell.
 */
export function lastTick(): number | undefined {
  // The present tick is not over: a process may begin in it after this call.
  const tick = Math.floor(system.exactUptime() * 100) - 1;
  return Number.isNaN(tick) ? undefined : tick;
}
