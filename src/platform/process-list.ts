// The processes of this system: who they are, and since when they have been there.

import { builtin, now } from "./node-builtins.ts";
import { contentOf, hasOtherThreads, type ProcessStat, statOf } from "./process-identity.ts";
import { environment, process } from "./process.ts";

export interface Process extends Omit<ProcessStat, "foreground" | "flags"> {
  readonly pid: number;
}

/** Returns all processes that are alive and can be seen; zombies are not among them. */
export function allProcesses(): Map<number, Process> {
  const found = new Map<number, Process>();
  const rows = process.platform === "linux" ? fromProc() : fromPs();
  for (const row of rows) found.set(row.pid, row);
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
  if (process.platform !== "linux") return allProcesses();
  const newest = newestPid();
  if (!(isYoung(start) && newest >= pid)) return allProcesses();
  const found = new Map<number, Process>();
  if (newest > pid) for (const row of fromProc((other) => other > pid)) found.set(row.pid, row);
  return found;
}

/** Returns the pid that was given last. Source: proc_loadavg(5). */
function newestPid(): number {
  return process.platform === "linux" ? Number(contentOf("/proc/loadavg")?.split(" ").at(-1)) : Number.NaN;
}

/** A moment, by the clock and by the pid that was given last. */
export interface Moment {
  /** In milliseconds. */
  readonly at: number;
  readonly newest: number;
}

export function thisMoment(): Moment {
  return { at: now(), newest: newestPid() };
}

/** Reports whether a pid has certainly been given to nobody since a moment. */
export function isUngivenSince(pid: number, { at, newest: first }: Moment): boolean {
  const last = newestPid();
  if (Number.isNaN(first) || Number.isNaN(last) || now() - at >= YOUNG) return false;
  const isAfterFirst = pid > first;
  const isUpToLast = pid <= last;
  return first <= last ? !(isAfterFirst && isUpToLast) : !(isAfterFirst || isUpToLast);
}

function* fromProc(isWanted: (pid: number) => boolean = () => true): Generator<Process> {
  for (const name of builtin("fs").readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !isWanted(Number(name))) continue;
    const found = childOf(Number(name));
    if (found !== undefined && !hasEnded(found)) yield found;
  }
}

/** Lists processes on macOS and the BSDs; untested here. The start is the time to a second, as ps writes it. */
function* fromPs(): Generator<Process> {
  if (process.platform === "win32") return;
  const table = builtin("child_process").execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="], {
    encoding: "utf8",
    env: { ...environment(), LC_ALL: "C" },
  });
  for (const line of table.split("\n")) {
    const [pid, ppid, group, state, ...start] = line.trim().split(/\s+/);
    if (pid === undefined || pid === "" || state === undefined || state.startsWith("Z")) continue;
    const numbers = { pid: Number(pid), ppid: Number(ppid), group: Number(group), session: 0 };
    yield { ...numbers, state: state.charAt(0), start: start.join(" ") };
  }
}

/** Returns the process of a pid, if it is alive. */
export function processOf(pid: number): Process | undefined {
  if (process.platform !== "linux") return allProcesses().get(pid);
  const found = childOf(pid);
  return found === undefined || hasEnded(found) ? undefined : found;
}

/** Returns the process of a pid, also a zombie. */
export function childOf(pid: number): Process | undefined {
  if (process.platform !== "linux") return processOf(pid);
  const stat = statOf(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : { pid, ...stat };
}

/** Reports whether nothing of a process runs any more: a zombie's other threads may go on. */
function hasEnded({ pid, state }: Process): boolean {
  return state === "X" || (state === "Z" && !hasOtherThreads(pid));
}

/** Reports whether two readings are of one process. A start of "0" is none that a system has told. */
export function isSame(
  one: Pick<Process, "pid" | "start"> | undefined,
  other: Pick<Process, "pid" | "start">,
): boolean {
  return one !== undefined && one.pid === other.pid && one.start === other.start && one.start !== "0";
}

/** Returns the pids of this process and of those that it descends from, up to the first of all. */
export function ownLine(all: ReadonlyMap<number, Process> = new Map()): Set<number> {
  const line = new Set([1, process.pid]);
  for (let pid = process.ppid; pid > 1 && !line.has(pid);) {
    line.add(pid);
    pid = (all.get(pid) ?? processOf(pid))?.ppid ?? 0;
  }
  return line;
}

/** Reports whether a process began a moment ago. @param start in clock ticks, of which there are a hundred a second */
export function isYoung(start: string): boolean {
  return uptime() * 1_000 - Number(start) * 10 < YOUNG;
}

/**
 * Returns a time in clock ticks: what has begun by it has begun before this call.
 * `undefined` where the system does not tell.
 */
export function lastTick(): number | undefined {
  // The present tick is not over: a process may begin in it after this call.
  const tick = Math.floor(uptime() * 100) - 1;
  return Number.isNaN(tick) ? undefined : tick;
}

/** Returns the time since the system's start, in seconds. */
function uptime(): number {
  return process.platform === "linux" ? Number(contentOf("/proc/uptime")?.split(" ", 1)[0]) : Number.NaN;
}

/** Reports whether a number is a process's: Linux takes a thread's as well. */
export function isThread(pid: number): boolean {
  const group = /^Tgid:\s*(\d+)$/m.exec(contentOf(`/proc/${pid}/status`) ?? "")?.[1];
  return group !== undefined && Number(group) !== pid;
}

/** The flag of a thread of the kernel. Source: PF_KTHREAD in linux/sched.h. */
const OF_KERNEL = 0x00200000;

/** Reports whether a pid is of a thread of the kernel, which no signal ends. */
export function isOfKernel(pid: number): boolean {
  return ((statOf(`/proc/${pid}/stat`)?.flags ?? 0) & OF_KERNEL) !== 0;
}
