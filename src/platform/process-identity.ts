// Who a journal belongs to, said so that a reused pid is never taken for its
// owner, and whether that one is still there. Sources: proc(5), pid_namespaces(7).

import { builtin, isMainThread } from "./node-builtins.ts";

/** A process, or one worker thread of it. */
export interface Owner {
  readonly pid: number;
  /** When it started, in clock ticks since the system did; "0" where the system does not tell. */
  readonly start: string;
  /** Changes with every start of the system. */
  readonly boot: string;
  /** Where its pid means something: the inode of its pid namespace. */
  readonly pidns: string;
  /** Which system it is: boots of two systems cannot be compared. */
  readonly machine: string;
  /** In a worker thread: the thread's own id and start, as the kernel counts them. */
  readonly thread?: { readonly tid: number; readonly start: string };
}

/** "unknown" is never "dead". */
export type Life = "alive" | "dead" | "unknown";

const fs = builtin("fs");

/** This thread, as others will see it. */
export function thisOwner(): Owner {
  const process_ = thisProcess();
  if (isMainThread) return process_;
  const tid = Number(/\/task\/(\d+)$/.exec(linkOf("/proc/thread-self"))?.[1]);
  const start = Number.isNaN(tid) ? undefined : startOf(`/proc/${process.pid}/task/${tid}/stat`);
  return start === undefined ? process_ : { ...process_, thread: { tid, start } };
}

let known: Owner | undefined;

/** This process; it is looked up once. */
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

/** Whether an owner is still there, as far as this process can know. */
export function lifeOf(owner: Owner, me: Owner = thisProcess()): Life {
  if (owner.boot !== me.boot) return owner.machine === me.machine ? "dead" : "unknown";
  if (owner.pidns !== me.pidns) return "unknown";
  const life = lifeOfProcess(owner.pid, owner.start);
  if (life === "dead" || owner.thread === undefined) return life;
  const { tid, start } = owner.thread;
  return startOf(`/proc/${owner.pid}/task/${tid}/stat`) === start ? "alive" : "dead";
}

/** Whether that very process is alive; one that only waits for its parent to notice its end is not. */
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

/** The first thread may have ended while others go on, with all that the process holds. */
function hasOtherThreads(pid: number): boolean {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** What /proc/<pid>/stat tells of a process. */
export interface ProcessStat {
  readonly state: string;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
  /** The process group that its terminal's keys reach; -1 without a terminal. */
  readonly foreground: number;
  readonly start: string;
}

/** `undefined` where there is no such process, or no /proc. */
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
    start: rest[15] ?? "0",
  };
}

function startOf(path: string): string | undefined {
  return statOf(path)?.start;
}

/** What a small file holds, without the white space around it; `undefined` where it cannot be read, or holds nothing. */
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

/** macOS and Windows, untested here: when the system started, to the minute, since two readings differ a little. */
function bootTime(): string {
  return String(Math.round((Date.now() / 1000 - builtin("os").uptime()) / 60));
}
