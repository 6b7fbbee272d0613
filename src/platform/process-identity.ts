// The identity of a journal's owner, for which a process with a reused pid is
// never taken, and whether the owner lives. Sources: proc(5), pid_namespaces(7).

import { builtin, isMainThread, timeOfDay } from "./node-builtins.ts";
import { digestOf } from "./digest.ts";
import { mounts } from "./file-system.ts";
import { process } from "./process.ts";

/** A process, or one worker thread of it. */
export interface Owner {
  readonly pid: number;
  /** When the process started, in clock ticks since the system did; "0" where the system does not tell. */
  readonly start: string;
  /** The boot id, which changes with every start of the system. */
  readonly boot: string;
  /** The namespaces in which the pid and the start have a meaning: of pids and, unless it is the first one, of time. */
  readonly pidns: string;
  /** The inode of the mount namespace; another one may have it when that is gone. */
  readonly mntns: string;
  /** A digest of what is mounted where, and so of what paths mean, as a decimal number. */
  readonly view: string;
  /** The inode of the user namespace, in which uids have a meaning. */
  readonly userns: string;
  /** The root directory, as device and inode: that of a container or a chroot is another one. */
  readonly root: readonly [dev: number, ino: number];
  readonly uid: number;
  readonly gid: number;
  /** In a worker thread: the thread's own id and start, as the kernel counts them; 0 where it does not tell. */
  readonly thread?: { readonly tid: number; readonly start: string };
}

/** Whether an owner lives. "unknown" is never "dead". */
export type Life = "alive" | "dead" | "unknown";

/** The inode of the time namespace that the system starts with. Source: include/linux/proc_ns.h. */
const FIRST_TIME_NAMESPACE = "4026531834";

const fs = builtin("fs");

/** Reports whether parsed JSON tells of an owner, whole and sound. */
export function isOwner(value: unknown): value is Owner {
  if (typeof value !== "object" || value === null) return false;
  const { pid, start, boot, pidns, mntns, view, userns, root, uid, gid, thread } = value as {
    [K in keyof Owner]: unknown;
  };
  const isThread = (part: unknown) =>
    typeof part === "object" &&
    part !== null &&
    "tid" in part &&
    (part.tid === 0 || isPid(part.tid)) &&
    "start" in part &&
    typeof part.start === "string";
  return (
    isPid(pid) &&
    [uid, gid].every((part) => Number.isSafeInteger(part)) &&
    [start, boot, pidns, mntns, view, userns].every((text) => typeof text === "string") &&
    Array.isArray(root) &&
    root.length === 2 &&
    root.every((part) => Number.isFinite(part)) &&
    (thread === undefined || isThread(thread))
  );
}

function isPid(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31;
}

/** Returns this thread, as others will see it. */
export function thisOwner(): Owner {
  const process_ = { ...thisProcess(), ...credentials() };
  if (isMainThread) return process_;
  const tid = Number(/\/task\/(\d+)$/.exec(linkOf("/proc/thread-self"))?.[1]);
  const start = Number.isNaN(tid) ? undefined : startOf(`/proc/${process.pid}/task/${tid}/stat`);
  return { ...process_, thread: start === undefined ? { tid: 0, start: "0" } : { tid, start } };
}

/** Returns in whose name this process acts now: a privilege can be dropped at any time. */
export function credentials(): Pick<Owner, "uid" | "gid"> {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

let known: Owner | undefined;

/** Returns this process, which is looked up once. */
export function thisProcess(): Owner {
  known ??= {
    pid: process.pid,
    start: startOf("/proc/self/stat") ?? "0",
    boot: contentOf("/proc/sys/kernel/random/boot_id") ?? bootTime(),
    pidns: namespaceOfPids(),
    mntns: namespace("mnt"),
    view: viewOfMounts(),
    userns: namespace("user"),
    root: rootDirectory(),
    ...credentials(),
  };
  return known;
}

function namespaceOfPids(): string {
  const time = namespace("time");
  return time === "0" || time === FIRST_TIME_NAMESPACE ? namespace("pid") : `${namespace("pid")}t${time}`;
}

function namespace(kind: "pid" | "mnt" | "user" | "time"): string {
  return /\[(\d+)\]/.exec(linkOf(`/proc/self/ns/${kind}`))?.[1] ?? "0";
}

/** File systems in which programs keep no files of their own. */
const WITHOUT_FILES = new Set(
  "proc sysfs cgroup cgroup2 devpts mqueue securityfs debugfs tracefs configfs pstore bpf fusectl binfmt_misc nsfs".split(
    " ",
  ),
);

function viewOfMounts(): string {
  const seen = (mounts() ?? [])
    .filter(({ type, point }) => !WITHOUT_FILES.has(type) && !`${point}/`.startsWith("/proc/"))
    .map(({ device, root, point, options }) => [device, root, point, options].join(" "))
    .sort();
  return digestOf(seen.join("\n"));
}

/**
 * The inodes of the mount namespace that the system starts with, which is never
 * gone: given before all others, or, by later kernels, a constant.
 * Source: include/uapi/linux/nsfs.h.
 */
const FIRST_MOUNT_NAMESPACES = new Set(["4026531832", "4026531840", "4026531841"]);

/** Reports whether a path means the same to an owner and to this process. */
export function hasSameView(owner: Owner, me: Owner = thisProcess()): boolean {
  const isFirst = owner.mntns === me.mntns && FIRST_MOUNT_NAMESPACES.has(me.mntns);
  // Devices are numbered anew with each start of the system.
  if (!isSameBoot(owner.boot, me.boot)) return owner.root[1] === me.root[1] && (isFirst || owner.view === me.view);
  const sameRoot = owner.root[0] === me.root[0] && owner.root[1] === me.root[1];
  return sameRoot && owner.userns === me.userns && (owner.view === me.view || isFirst);
}

function rootDirectory(): readonly [number, number] {
  const { dev, ino } = fs.statSync(builtin("path").parse(process.execPath).root);
  return [dev, ino];
}

/** What is known of the file in which an owner stands. */
export interface OwnersFile {
  /** Whether it is on a file system that this system alone mounts, as its owner saw it and as it is seen here. */
  readonly isLocal: boolean;
  /** When it was written last, in milliseconds. */
  readonly writtenAt: number;
}

/** By how much the system's clocks may differ, in milliseconds. */
const CLOCKS_DIFFER = 1_000;

/**
 * Returns when the system started, in milliseconds, by the kernel's own clock: a
 * program's can be made to lie. Source: proc_stat(5), btime.
 */
function systemStartedAt(): number {
  const seconds = /^btime (\d+)$/m.exec(contentOf("/proc/stat") ?? "")?.[1];
  return seconds === undefined ? wallClock() - systemUptime() * 1_000 : Number(seconds) * 1_000;
}

const { now: wallClock } = Date;

/**
 * By how many minutes two readings of one start may differ where the system gives no
 * boot ids: on macOS the start moves with each step of the clock, on Windows the
 * time since then does not follow the clock at all.
 */
const START_MOVES = 2;

/** A boot id that is the time of the system's start, in minutes. */
const MINUTES = /^\d{1,9}$/;

/** Reports whether two boot ids, or beginnings of them, are of one start of the system. */
export function isSameBoot(one: string, other: string): boolean {
  if (one === other) return true;
  return [one, other].every((boot) => MINUTES.test(boot)) && Math.abs(Number(one) - Number(other)) <= START_MOVES;
}

/**
 * Reports whether an owner with another boot id is one of an earlier boot: a container
 * may have been given a boot id of its own. Its file was written before the system
 * started; and where a clock that was set makes that look so, nobody has its pid.
 */
export function isOfEarlierBoot(
  { pid, boot }: Pick<Owner, "pid" | "boot">,
  { isLocal, writtenAt }: OwnersFile,
): boolean {
  const isBefore = isLocal && writtenAt < systemStartedAt() - CLOCKS_DIFFER;
  return isBefore && !(MINUTES.test(boot) && isAnybodys(pid));
}

/** Reports whether an owner lives, as far as this process can know. */
export function lifeOf(owner: Owner, file: OwnersFile, me: Owner = thisProcess()): Life {
  if (!isSameBoot(owner.boot, me.boot)) return isOfEarlierBoot(owner, file) ? "dead" : "unknown";
  if (owner.pidns !== me.pidns) return "unknown";
  const life = lifeOfProcess(owner.pid, owner.start);
  const { tid, start } = owner.thread ?? { tid: 0 };
  if (life === "dead" || tid === 0 || !isProcOwn()) return life;
  return startOf(`/proc/${owner.pid}/task/${tid}/stat`) === start ? "alive" : "dead";
}

/** Reports whether that very process is alive; a zombie is dead. */
export function lifeOfProcess(pid: number, start: string): "alive" | "dead" {
  const stat = isProcOwn() ? statOf(`/proc/${pid}/stat`) : undefined;
  if (stat !== undefined && start !== "0") {
    if (stat.start !== start || stat.state === "X") return "dead";
    return stat.state === "Z" && !hasOtherThreads(pid) ? "dead" : "alive";
  }
  return isAnybodys(pid) ? "alive" : "dead";
}

/** Reports whether any process has a pid. */
export function isAnybodys(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Where /proc is hidden, another user's process still refuses the signal.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

let isOwnProc: boolean | undefined;

/**
 * Reports whether /proc shows the pids of this process's own namespace: one that
 * was made without a mount of its own still shows those of the namespace above.
 * Source: proc_pid_status(5), NSpid.
 */
export function isProcOwn(): boolean {
  if (process.platform !== "linux") return true;
  if (isOwnProc === undefined) {
    const pids = /^NSpid:\t(.*)$/m.exec(contentOf("/proc/self/status") ?? "")?.[1]?.split("\t");
    isOwnProc = pids === undefined ? linkOf("/proc/self") === String(process.pid) : pids.length === 1;
  }
  return isOwnProc;
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

/** Returns what a link leads to; empty where it cannot be read. */
export function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}

/** Returns how long the system has been running, in seconds; a program's own clocks can be made to lie. */
export function systemUptime(): number {
  const uptime = contentOf("/proc/uptime")?.split(" ", 1)[0];
  return uptime === undefined ? builtin("os").uptime() : Number(uptime);
}

/** Returns when the system started, to the minute, since two readings differ. For macOS and Windows; untested here. */
function bootTime(): string {
  return String(Math.round((timeOfDay() / 1000 - builtin("os").uptime()) / 60));
}
