// Looks for certain directories in a tree, whatever their paths are there.

import { entriesOf } from "../../platform/directory-entries.ts";
import { inodeOf } from "../../platform/file-identity.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { pathThrough } from "../../platform/open-directory.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;

/**
 * Returns what is said of the first of these directories that is found in a tree.
 * Where a part of it cannot be looked at, that is returned. What is on another file
 * system is not looked at, nor is what goes meanwhile.
 *
 * @param said by `device:inode`
 */
export function directoryIn(path: string, said: ReadonlyMap<string, string>): string | undefined {
  if (said.size === 0) return undefined;
  try {
    const root = Buffer.from(path);
    return search(root, fs.lstatSync(root).dev, said);
  } catch (error) {
    return `whether others who are alive have something in it cannot be known: ${(error as Error).message}`;
  }
}

function search(path: Buffer, dev: number, said: ReadonlyMap<string, string>): string | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (isGone(error) || isClosed(error, path)) return undefined;
    throw error;
  }
  try {
    // Paths would grow too long for the system.
    const directory = pathThrough(fd, path);
    return searchIn(directory, dev, said);
  } finally {
    fs.closeSync(fd);
  }
}

function searchIn(directory: Buffer, dev: number, said: ReadonlyMap<string, string>): string | undefined {
  for (const { path, isDirectory } of entriesOf(directory)) {
    const stats = isDirectory ? statOf(path) : undefined;
    if (stats === undefined || stats.dev !== dev) continue;
    const found = said.get(inodeOf(stats)) ?? search(path, dev, said);
    if (found !== undefined) return found;
  }
  return undefined;
}

function statOf(path: Buffer): Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Reports whether a directory lets nobody in, not even its owner: who has something in it could not reach it. */
function isClosed(error: unknown, path: Buffer): boolean {
  if ((error as NodeJS.ErrnoException).code !== "EACCES") return false;
  const stats = statOf(path);
  return stats === undefined || (stats.mode & 0o111) === 0;
}
