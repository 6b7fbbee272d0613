// Whether a program that is alive is bound to a socket in the file system. The
// kernel tells the path by which each was bound, which may be relative, lead
// through links, or be another one since: what cannot be excluded counts.
// Source: proc_net(5).

import { inodeOf } from "./file-identity.ts";
import { builtin } from "./node-builtins.ts";
import { contentOf, linkOf } from "./process-identity.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");

/**
 * Returns who may be bound to a socket, as far as this network namespace shows.
 *
 * @param stats of the socket
 * @param path its real path
 */
export function boundTo(stats: Stats, path: string): "this process" | "another" | undefined {
  const bound = [...boundSockets()].filter((socket) => isOrMayBe(socket.path, stats, path));
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

function* boundSockets(): Generator<BoundSocket> {
  for (const line of (contentOf("/proc/net/unix") ?? "").split("\n")) {
    // Num, RefCount, Protocol, Flags, Type, St, Inode, Path. An abstract name begins with @.
    const [, inode, path] = /^\S+: (?:\S+ +){5}(\d+) (.+)$/.exec(line) ?? [];
    if (inode !== undefined && path !== undefined && !path.startsWith("@")) yield { inode, path };
  }
}

function isOrMayBe(bound: string, stats: Stats, path: string): boolean {
  const { basename, isAbsolute } = builtin("path");
  if (bound === path) return true;
  if (basename(bound) !== basename(path)) return false;
  // Only what may be this one is looked at: other paths lead to other people's file systems.
  const found = isAbsolute(bound) ? statOf(bound) : undefined;
  return found === undefined || inodeOf(found) === inodeOf(stats);
}

function ownSockets(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const fd of namesIn("/proc/self/fd")) {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/self/fd/${fd}`)) ?? [];
    if (inode !== undefined) found.add(inode);
  }
  return found;
}

function namesIn(path: string): string[] {
  try {
    return fs.readdirSync(path);
  } catch {
    return [];
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
