// Linux: what /proc tells of processes. Sources: proc(5), pid_namespaces(7).

import { contentOf, linkOf } from "./file-content.ts";
import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";
import { isAnybodys } from "./pids.ts";
import type { KernelThread, Namespaces, Process } from "./system.ts";

const fs = /* @__PURE__ */ builtin("fs");

/** The fields of /proc/<pid>/stat that are used here. */
interface ProcessStat extends Omit<Process, "pid"> {
  /** What the kernel says of it. Source: PF_… in linux/sched.h. */
  readonly flags: number;
}

/** Returns the state of a process; `undefined` where there is no such process, or no /proc. */
function statOf(path: string): ProcessStat | undefined {
  const text = contentOf(path);
  if (text === undefined) return undefined;
  // The command's name is the second field, and may hold spaces and parentheses.
  const [state, ppid, group, session, ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    state: state ?? "?",
    ppid: Number(ppid),
    group: Number(group),
    session: Number(session),
    flags: Number(rest[2]),
    start: rest[15] ?? "0",
  };
}

function startIn(path: string): string {
  return statOf(path)?.start ?? "0";
}

/** Returns when a process started, in clock ticks since the system did. */
export function startOf(pid: number | "self"): string {
  return startIn(`/proc/${pid}/stat`);
}

/** Reports whether other threads go on, with all that the process holds, after the first has ended; they may, where that cannot be seen. */
function hasOtherThreads(pid: number): boolean {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).length > 1;
  } catch (error) {
    return !["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}

/** Reports whether nothing of a process runs any more: a zombie's other threads may go on. */
function hasEnded({ pid, state }: Process): boolean {
  return state === "X" || (state === "Z" && !hasOtherThreads(pid));
}

/** Lists the processes that are alive. */
export function* processes(isWanted: (pid: number) => boolean = () => true): Generator<Process> {
  for (const name of fs.readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !isWanted(Number(name))) continue;
    const found = processOf(Number(name));
    if (found !== undefined) yield found;
  }
}

export function processOf(pid: number): Process | undefined {
  const found = childOf(pid);
  return found === undefined || hasEnded(found) ? undefined : found;
}

export function childOf(pid: number): Process | undefined {
  const stat = statOf(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : { pid, ...stat };
}

export function stateOf(pid: number | undefined): string | undefined {
  return statOf(`/proc/${pid}/stat`)?.state;
}

/** Source: proc_loadavg(5). */
export function newestPid(): number {
  return Number(contentOf("/proc/loadavg")?.split(" ").at(-1));
}

/** Linux takes a thread's number where a process's is asked for. */
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

/** Reports whether that very process is alive. */
export function isAlive(pid: number, start: string): boolean {
  const stat = seesOwnPids() ? statOf(`/proc/${pid}/stat`) : undefined;
  if (stat === undefined || start === "0") return isAnybodys(pid);
  if (stat.start !== start || stat.state === "X") return false;
  return stat.state !== "Z" || hasOtherThreads(pid);
}

/** Reports whether that very thread is alive; `undefined` where that cannot be seen: another user's, or no descriptor is left. */
export function isThreadAlive(pid: number, { tid, start }: KernelThread): boolean | undefined {
  if (!seesOwnPids()) return undefined;
  const stat = statOf(`/proc/${pid}/task/${tid}/stat`);
  if (stat !== undefined) return stat.start === start;
  return isThere(`/proc/${pid}/task`) === true && isThere(`/proc/${pid}/task/${tid}`) === false ? false : undefined;
}

/** Reports whether something is there, which takes no descriptor; `undefined` where that cannot be seen. */
function isThere(path: string): boolean | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return undefined;
  }
}

export function ownThread(): KernelThread | undefined {
  const tid = Number(/\/task\/(\d+)$/.exec(linkOf("/proc/thread-self"))?.[1]);
  const start = Number.isNaN(tid) ? "0" : startIn(`/proc/${process.pid}/task/${tid}/stat`);
  return start === "0" ? undefined : { tid, start };
}

/** The inode of the pid namespace that the system starts with. Source: include/linux/proc_ns.h. */
const FIRST_PID_NAMESPACE = "4026531836";

/** Returns the pids of a process, from the namespace that /proc shows to its own. Source: proc_pid_status(5), NSpid. */
function pidsOf(process: string): string[] | undefined {
  return /^NSpid:\t(.*)$/m.exec(contentOf(`/proc/${process}/status`) ?? "")?.[1]?.split("\t");
}

/** Only the first pid namespace shows the processes of all others. */
export function mayBeElsewhere(pid: number): boolean {
  if (namespace("pid") !== FIRST_PID_NAMESPACE || !seesOwnPids()) return true;
  if (pidsOf("1") === undefined) return true; // other users' processes are hidden
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .some((name) => pidsOf(name)?.slice(1).includes(String(pid)));
}

let isOwnProc: boolean | undefined;

/**
 * Reports whether /proc shows the pids of this process's own namespace: one that
 * was made without a mount of its own still shows those of the namespace above.
 */
export function seesOwnPids(): boolean {
  if (isOwnProc === undefined) {
    const pids = pidsOf("self");
    isOwnProc = pids === undefined ? linkOf("/proc/self") === String(process.pid) : pids.length === 1;
  }
  return isOwnProc;
}

/** The inode of the time namespace that the system starts with. Source: include/linux/proc_ns.h. */
const FIRST_TIME_NAMESPACE = "4026531834";

export function namespaces(): Namespaces {
  const time = namespace("time");
  const isFirst = time === "0" || time === FIRST_TIME_NAMESPACE;
  const pidns = isFirst ? namespace("pid") : `${namespace("pid")}t${time}`;
  return { pidns, mntns: namespace("mnt"), userns: namespace("user") };
}

function namespace(kind: "pid" | "mnt" | "user" | "time"): string {
  return /\[(\d+)\]/.exec(linkOf(`/proc/self/ns/${kind}`))?.[1] ?? "0";
}

export function bootId(): string | undefined {
  return contentOf("/proc/sys/kernel/random/boot_id");
}

/** Returns when the system started, in milliseconds. Source: proc_stat(5), btime. */
export function startedAt(): number | undefined {
  const seconds = /^btime (\d+)$/m.exec(contentOf("/proc/stat") ?? "")?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

/** Returns the time since the system's start, in seconds. */
export function uptime(): number {
  return Number(contentOf("/proc/uptime")?.split(" ", 1)[0]);
}
