// The identity of a journal's owner, for which a process with a reused pid is
// never taken, and whether the owner lives. Sources: proc(5), pid_namespaces(7).

import { digestOf } from "./digest.ts";
import { builtin, isMainThread } from "./node-builtins.ts";
import { isAnybodys } from "./pids.ts";
import { process } from "./process.ts";
import type { KernelThread } from "./system.ts";
import { system } from "./this-system.ts";

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
  readonly thread?: KernelThread;
}

/** Whether an owner lives. "unknown" is never "dead". */
export type Life = "alive" | "dead" | "unknown";

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
  return { ...process_, thread: system.ownThread() ?? { tid: 0, start: "0" } };
}

/** Reports whether an owner is this very thread; it is not where the system does not tell threads apart. */
export function isThisThread({ pid, start, boot, pidns, thread }: Owner): boolean {
  const me = thisOwner();
  const isProcess = pid === me.pid && start === me.start && boot === me.boot && pidns === me.pidns;
  if (!isProcess || thread?.tid === 0) return false;
  return thread?.tid === me.thread?.tid && thread?.start === me.thread?.start;
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
    start: system.startOf("self"),
    boot: system.bootId(),
    ...system.namespaces(),
    view: viewOfMounts(),
    root: rootDirectory(),
    ...credentials(),
  };
  return known;
}

/** File systems in which programs keep no files of their own. */
const WITHOUT_FILES = new Set(
  "proc sysfs cgroup cgroup2 devpts mqueue securityfs debugfs tracefs configfs pstore bpf fusectl binfmt_misc nsfs".split(
    " ",
  ),
);

function viewOfMounts(): string {
  const seen = (system.mounts() ?? [])
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
  const isBefore = isLocal && writtenAt < system.startedAt() - CLOCKS_DIFFER;
  return isBefore && !(MINUTES.test(boot) && isAnybodys(pid));
}

/** Reports whether an owner lives, as far as this process can know. */
export function lifeOf(owner: Owner, file: OwnersFile, me: Owner = thisProcess()): Life {
  if (!isSameBoot(owner.boot, me.boot)) return isOfEarlierBoot(owner, file) ? "dead" : "unknown";
  if (owner.pidns !== me.pidns) return "unknown";
  const life = lifeOfProcess(owner.pid, owner.start);
  if (life === "dead" || owner.thread === undefined || owner.thread.tid === 0) return life;
  return system.isThreadAlive(owner.pid, owner.thread) === false ? "dead" : life;
}

/** Reports whether that very process is alive; a zombie is dead. */
export function lifeOfProcess(pid: number, start: string): "alive" | "dead" {
  return system.isAlive(pid, start) ? "alive" : "dead";
}
