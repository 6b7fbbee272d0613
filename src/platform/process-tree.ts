// The processes of this system, and the tree of one of them: its descendants,
// and the members of its process group and session.

import { builtin } from "./node-builtins.ts";
import { contentOf, type ProcessStat, statOf } from "./process-identity.ts";

export interface Process extends Omit<ProcessStat, "state" | "foreground"> {
  readonly pid: number;
}

/** The process whose tree is meant. */
export interface Root {
  readonly pid: number;
  readonly start: string;
  /** Whether the process leads a process group, or did. */
  readonly leads: boolean;
  /** The mark in its environment, and in that of its descendants, and in no other. */
  readonly mark?: string | undefined;
}

/** The variable of the environment that marks a child's descendants. */
export const MARK = "ATEXIT_CHILD";

/** Returns all processes that are alive and can be seen; zombies are not among them. */
function allProcesses(): Map<number, Process> {
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
 * turn. Source: proc_loadavg(5), whose last field is the pid that was given last.
 */
export function processesSince({ pid, start }: Pick<Root, "pid" | "start">): Map<number, Process> {
  if (process.platform !== "linux") return allProcesses();
  const newest = Number(contentOf("/proc/loadavg")?.split(" ").at(-1));
  if (!(ageOf(start) < YOUNG && newest >= pid)) return allProcesses();
  const found = new Map<number, Process>();
  if (newest > pid) for (const row of fromProc((other) => other > pid)) found.set(row.pid, row);
  return found;
}

function* fromProc(isWanted: (pid: number) => boolean = () => true): Generator<Process> {
  for (const name of builtin("fs").readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !isWanted(Number(name))) continue;
    const stat = statOf(`/proc/${name}/stat`);
    if (stat !== undefined && stat.state !== "Z" && stat.state !== "X") yield { pid: Number(name), ...stat };
  }
}

/** Lists processes on macOS and the BSDs; untested here. The start is the time to a second, as ps writes it. */
function* fromPs(): Generator<Process> {
  if (process.platform === "win32") return;
  const table = builtin("child_process").execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  for (const line of table.split("\n")) {
    const [pid, ppid, group, state, ...start] = line.trim().split(/\s+/);
    if (pid === undefined || pid === "" || state === undefined || state.startsWith("Z")) continue;
    yield { pid: Number(pid), ppid: Number(ppid), group: Number(group), session: 0, start: start.join(" ") };
  }
}

/** Returns the process of a pid, if it is alive. */
export function processOf(pid: number): Process | undefined {
  if (process.platform !== "linux") return allProcesses().get(pid);
  const stat = statOf(`/proc/${pid}/stat`);
  return stat === undefined || stat.state === "Z" || stat.state === "X" ? undefined : { pid, ...stat };
}

/** Returns the process of a pid, also a zombie. */
export function childOf(pid: number): Process | undefined {
  const stat = process.platform === "linux" ? statOf(`/proc/${pid}/stat`) : undefined;
  return stat === undefined ? processOf(pid) : { pid, ...stat };
}

/**
 * Returns the root, if its pid was not reused, its descendants, the processes
 * with its mark or in the process group or session that it leads, and those
 * found before, whose parents may have ended since.
 *
 * A group outlives its leader, and its number is given to no new process
 * before it is empty. Source: setpgid(2), fork(2).
 */
export function treeOf(root: Root, before: readonly Process[] = [], all = allProcesses()): Process[] {
  const tree = new Map<number, Process>();
  const add = (member: Process | undefined) => {
    if (member !== undefined) tree.set(member.pid, member);
  };
  const first = all.get(root.pid);
  const isReused = first !== undefined && first.start !== root.start;
  if (!isReused) add(first);
  for (const { pid, start } of before) if (all.get(pid)?.start === start) add(all.get(pid));
  for (const member of all.values()) {
    const { pid, group, session } = member;
    if (root.leads && !isReused && (group === root.pid || session === root.pid)) add(member);
    // No descendant is older than the root: most processes need not be looked at closely.
    if (root.mark !== undefined && Number(member.start) >= Number(root.start) && markOf(pid) === root.mark) add(member);
  }
  for (let found = -1; found !== tree.size;) {
    found = tree.size;
    for (const member of all.values()) if (tree.has(member.ppid)) add(member);
  }
  tree.delete(process.pid);
  return [...tree.values()];
}

/** How often an environment that is not there yet is read, 0.25 ms apart. */
const TRIES = 20;

/** Returns an environment, read again where it is empty: in the middle of execve(2) a process has none. */
function environmentOf(pid: number): string {
  const path = `/proc/${pid}/environ`;
  let environment = builtin("fs").readFileSync(path, "latin1");
  for (let tries = 0; environment === "" && tries < TRIES && isYoung(pid); tries += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.25);
    environment = builtin("fs").readFileSync(path, "latin1");
  }
  return environment;
}

function isYoung(pid: number): boolean {
  const stat = statOf(`/proc/${pid}/stat`);
  return stat !== undefined && stat.state !== "Z" && stat.state !== "X" && ageOf(stat.start) < YOUNG;
}

/** Returns an age in milliseconds. @param start in clock ticks, of which there are a hundred a second */
function ageOf(start: string): number {
  const uptime = Number(contentOf("/proc/uptime")?.split(" ", 1)[0]);
  return uptime * 1_000 - Number(start) * 10;
}

/**
 * Returns the mark in a process's environment, as it was when its program began. Linux only.
 *
 * @param ofEnded what it is where the process has ended, and has no environment any more
 */
export function markOf(pid: number, ofEnded?: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const environment = environmentOf(pid);
    if (environment === "") return ofEnded;
    const entries = environment.split("\0");
    return entries.find((entry) => entry.startsWith(`${MARK}=`))?.slice(MARK.length + 1);
  } catch (error) {
    // Depending on the kernel an ended process has no environment, or an empty one. Another user's cannot be read.
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? ofEnded : undefined;
  }
}
