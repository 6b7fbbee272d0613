// The identity of a journal's owner, for which a process with a reused pid is
// never taken, and whether the owner lives. Sources: proc(5), pid_namespaces(7).

import { builtin, isMainThread } from "./node-builtins.ts";

/** A process, or one worker thread of it. */
export interface Owner {
  readonly pid: number;
  /** When the process started, in clock ticks since the system did; "0" where the system does not tell. */
  readonly start: string;
  /** The boot id, which changes with every start of the system. */
  readonly boot: string;
  /** The inode of the pid namespace in which the pid has a meaning. */
  readonly pidns: string;
  /** The id of the system: boots of two systems cannot be compared. */
  readonly machine: string;
  /** In a worker thread: the thread's own id and start, as the kernel counts them. */
  readonly thread?: { readonly tid: number; readonly start: string };
}

/** Whether an owner lives. "unknown" is never "dead". */
export type Life = "alive" | "dead" | "unknown";

const fs = builtin("fs");

/** Returns this thread, as others will see it. */
export function thisOwner(): Owner {
  const process_ = thisProcess();
  if (isMainThread) return process_;
  const tid = Number(/\/task\/(\d+)$/.exec(linkOf("/proc/thread-self"))?.[1]);
  const start = Number.isNaN(tid) ? undefined : startOf(`/proc/${process.pid}/task/${tid}/stat`);
  return start === undefined ? process_ : { ...process_, thread: { tid, start } };
}

let known: Owner | undefined;

/** Returns this process, which is looked up once. */
export function thisProcess(): Owner {
  known ??= {
    pid: process.pid,
    start: startOf("/proc/self/stat") ?? "0",
    boot: contentOf("/proc/sys/kernel/random/boot_id") ?? bootTime(),
    pidns: /\[(\d+)\]/.exec(linkOf("/proc/self/ns/pid"))?.[1] ?? "0",
    machine: contentOf("/etc/machine-id") ?? builtin("os").hostname(),
  };
  return known;
}

/** Reports whether an owner lives, as far as this process can know. */
export function lifeOf(owner: Owner, me: Owner = thisProcess()): Life {
  if (owner.boot !== me.boot) return owner.machine === me.machine ? "dead" : "unknown";
  if (owner.pidns !== me.pidns) return "unknown";
  const life = lifeOfProcess(owner.pid, owner.start);
  if (life === "dead" || owner.thread === undefined) return life;
  const { tid, start } = owner.thread;
  return startOf(`/proc/${owner.pid}/task/${tid}/stat`) === start ? "alive" : "dead";
}

/** Reports whether that very process is alive; a zombie is dead. */
export function lifeOfProcess(pid: number, start: string): "alive" | "dead" {
  const stat = statOf(`/proc/${pid}/stat`);
  if (stat !== undefined && start !== "0") {
    if (stat.start !== start || stat.state === "X") return "dead";
    return stat.state === "Z" && !hasOtherThreads(pid) ? "dead" : "alive";
  }
  try {
    process.kill(pid, 0);
    return "alive";
  } catch (error) {
    // Where /proc is hidden, another user's process still refuses the signal.
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? "dead" : "alive";
  }
}

/** Reports whether other threads go on, with all that the process holds, after the first has ended. */
export function hasOtherThreads(pid: number): boolean {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** The fields of /proc/<pid>/stat that are used here. */
export interface ProcessStat {
  readonly state: string;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
  /** The process group that its terminal's keys reach; -1 without a terminal. */
  readonly foreground: number;
  /** What the kernel says of it. Source: PF_… in linux/sched.h. */
  readonly flags: number;
  readonly start: string;
}

/** Returns the state of a process; `undefined` where there is no such process, or no /proc. */
export function statOf(path: string): ProcessStat | undefined {
  const text = contentOf(path);
  if (text === undefined) return undefined;
  // The command's name is the second field, and may hold spaces and parentheses.
  const [state, ppid, group, session, ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    state: state ?? "?",
    ppid: Number(ppid),
    group: Number(group),
    session: Number(session),
    foreground: Number(rest[1]),
    flags: Number(rest[2]),
    start: rest[15] ?? "0",
  };
}

function startOf(path: string): string | undefined {
  return statOf(path)?.start;
}

/** Returns the text of a small file, trimmed; `undefined` where it cannot be read, or is empty. */
export function contentOf(path: string): string | undefined {
  try {
    const content = fs.readFileSync(path, "utf8").trim();
    return content === "" ? undefined : content;
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}

/** Returns when the system started, to the minute, since two readings differ. For macOS and Windows; untested here. */
function bootTime(): string {
  return String(Math.round((Date.now() / 1000 - builtin("os").uptime()) / 60));
}
