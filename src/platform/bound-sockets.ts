// Whether a program that is alive is bound to a socket in the file system. The
// kernel tells the path by which each was bound, which may be relative, lead
// through links, or be another one since: what cannot be excluded counts.
// Source: proc_net(5).

import { inodeOf } from "./file-identity.ts";
import { linkOf } from "./file-content.ts";
import { isLacking } from "./lacking.ts";
import type { Mount } from "./mount-table.ts";
import { builtin } from "./node-builtins.ts";
import { system } from "./this-system.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");

/**
 * Returns who may be bound to a socket, as far as this network namespace shows.
 *
 * @param stats of the socket
 * @param path its real path
 * @throws the system's error where this process has too few descriptors to look
 */
export function boundTo(stats: Stats, path: string): "this process" | "another" | undefined {
  const sockets = boundSockets();
  if (sockets === undefined) return "another";
  const bound = sockets.filter((socket) => isOrMayBe(socket.path, stats, path));
  if (bound.length === 0) return undefined;
  const own = ownSockets();
  return bound.every(({ inode }) => own.has(inode)) ? "this process" : "another";
}

interface BoundSocket {
  /** Of the socket itself, as descriptors show it. */
  readonly inode: string;
  /** As it was bound. */
  readonly path: string;
}

/** Returns all that are bound; `undefined` where that may not be looked at. */
function boundSockets(): BoundSocket[] | undefined {
  const table = readIfAllowed(() => fs.readFileSync("/proc/net/unix", "utf8"), "");
  return table?.split("\n").flatMap((line) => {
    // Num, RefCount, Protocol, Flags, Type, St, Inode, Path. An abstract name begins with @.
    const [, inode, path] = /^\S+: (?:\S+ +){5}(\d+) (.+)$/.exec(line) ?? [];
    return inode === undefined || path === undefined || path.startsWith("@") ? [] : [{ inode, path }];
  });
}

/**
 * @param nothing what stands for what is not there: other systems have no /proc
 * @returns `undefined` where it may not be read
 */
function readIfAllowed<T>(read: () => T, nothing: T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isLacking(error)) throw error;
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? nothing : undefined;
  }
}

function isOrMayBe(bound: string, stats: Stats, path: string): boolean {
  const { basename, isAbsolute } = builtin("path");
  if (bound === path) return true;
  if (basename(bound) !== basename(path)) return false;
  if (!isAbsolute(bound)) return true;
  const found = statWithoutHanging(bound);
  return found === undefined || inodeOf(found) === inodeOf(stats);
}

function ownSockets(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const fd of readIfAllowed(() => fs.readdirSync("/proc/self/fd"), []) ?? []) {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/self/fd/${fd}`)) ?? [];
    if (inode !== undefined) found.add(inode);
  }
  return found;
}

/** The system follows no more links than that. Source: path_resolution(7). */
const MOST_LINKS = 40;

/**
 * Returns what is at a path, as far as it leads through local file systems alone:
 * another one may not answer. `undefined` where that cannot be known, or nothing is there.
 */
function statWithoutHanging(path: string): Stats | undefined {
  const { dirname, resolve } = builtin("path");
  let links = 0;
  let at = "/";
  let names = path.split("/").filter(Boolean);
  try {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const next = resolve(at, name);
      if (!isOnLocal(next)) return undefined;
      const stats = fs.lstatSync(next);
      if (!stats.isSymbolicLink() || names.length === 0) {
        if (names.length === 0) return stats;
        at = next;
        continue;
      }
      if (++links > MOST_LINKS) return undefined;
      names = [...fs.readlinkSync(next).split("/").filter(Boolean), ...names];
      at = fs.readlinkSync(next).startsWith("/") ? "/" : dirname(next);
    }
  } catch {
    // It is gone, or nobody else may look there.
  }
  return undefined;
}

/** Reports whether a path without links in it is on a local file system, by the table of mounts alone. */
function isOnLocal(path: string): boolean {
  const above = (system.mounts() ?? []).filter(
    ({ point }) => point === "/" || path === point || path.startsWith(`${point}/`),
  );
  const nearest = above.reduceRight<Mount | undefined>(
    (found, each) => (found === undefined || each.point.length > found.point.length ? each : found),
    undefined,
  );
  return nearest !== undefined && LOCAL_TYPES.has(nearest.type);
}

/** As the table of mounts names them. */
const LOCAL_TYPES = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "zfs", "ramfs"]);
