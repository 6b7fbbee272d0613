// What is at the path of a lock, and beside it. All users may have made it, in a
// directory such as /tmp: nothing but regular files is opened, and no more files
// are looked at than a lock can have.
//
//   <lock>                        a second name of its holder's owner file
//   <lock>.<token>                an owner file: of a holder, or of a contender
//   <lock>.<token>.alive          of the same: locked while it lives, see life-file.ts
//   <lock>.<token>.gone           a lock that is being released, where a name cannot be free at once
//   <lock>.<token>.break-<k>      the process that takes the lock from that dead owner

import { LockHeldError, resourceError } from "../../errors/resources.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { openRegularFile } from "../../platform/regular-file.ts";
import { parseToken } from "../journal/file-name.ts";
import { ALIVE } from "../journal/life-file.ts";
import { process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

type Stats = import("node:fs").Stats;

/** How many files in the directory of a lock are looked at, and how many beside it. */
const MOST_FILES = 100_000;
const MOST_BESIDE = 1_000;

const fs = builtin("fs");

/** What the name of a lock ends with that is being released. */
export const GONE = ".gone";

/** How many breakers of one lock may die, one after the other. */
export const MOST_BREAKERS = 100;

/** Returns the path of the k-th process that takes a lock from a dead owner. */
export function breakPath(lock: string, token: string, k: number): string {
  return `${ownerPath(lock, token)}.break-${k}`;
}

export function ownerPath(lock: string, token: string): string {
  return `${lock}.${token}`;
}

/** Returns the state of a file, no link followed; `undefined` where there is none. */
export function statOf(path: string): Stats | undefined {
  return fs.lstatSync(path, { throwIfNoEntry: false });
}

export function isSameFile(stats: Pick<Stats, "dev" | "ino"> | undefined, { dev, ino }: Pick<Stats, "dev" | "ino">) {
  return stats !== undefined && stats.ino === ino && stats.dev === dev;
}

/** Removes a file; reports whether it was there. */
export function unlinked(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/**
 * Opens a lock or an owner file for reading.
 *
 * @returns `undefined` where there is none
 * @throws a `LockHeldError` where a directory is there; an error with the code
 *   `ERR_ATEXIT_LOCK` where something else is; the system's error
 */
export function openLock(path: string): { readonly fd: number; readonly stats: Stats } | undefined {
  const stats = statOf(path);
  if (stats === undefined) return undefined;
  refuseAllButFiles(path, stats);
  try {
    return openRegularFile(path, fs.constants.O_RDONLY);
  } catch (error) {
    // It was released meanwhile; the next holder's may be there by now.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const now = statOf(path);
    if (now !== undefined) refuseAllButFiles(path, now);
    throw error;
  }
}

function refuseAllButFiles(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  // It may be the lock of a program that uses another library.
  if (stats.isDirectory()) throw heldByDirectory(path, stats);
  const [what, advice] = stats.isSymbolicLink()
    ? ["a symbolic link", "Pass the path of the file itself, or remove the link"]
    : stats.isFIFO()
      ? ["a named pipe", "Remove it if no program uses it, or pass another path"]
      : stats.isSocket()
        ? ["a socket", "Remove it if no program uses it, or pass another path"]
        : ["a device", "Pass another path"];
  const owner = system.filesHaveOwners ? ` of user ${stats.uid}` : "";
  throw resourceError("ERR_ATEXIT_LOCK", path, `it is ${what}${owner}`, `${advice}.`);
}

/** Nobody can tell whose it is. Nothing is waited for: it may as well be a directory that was named by mistake. */
function heldByDirectory(path: string, { uid, mtime }: Stats): LockHeldError {
  const holder = { pid: undefined, uid, since: mtime, host: undefined, program: undefined, data: undefined };
  return new LockHeldError(path, holder, { pid: process.pid, life: "unknown", isDirectory: true });
}

/** A file beside a lock: of an owner, or of who takes the lock from it. */
export interface FileBeside {
  readonly path: string;
  readonly token: string;
  readonly kind: "owner" | "alive" | "gone" | "break";
}

/**
 * Lists the files beside a lock whose names say that they are its own.
 *
 * @param looked told how many files of the directory were looked at
 */
export function filesBeside(lock: string, looked: (count: number) => void = () => {}): FileBeside[] {
  const { basename, dirname, join } = builtin("path");
  const directory = dirname(lock);
  const prefix = `${basename(lock)}.`;
  const found: FileBeside[] = [];
  let count = 0;
  let entries: import("node:fs").Dir;
  try {
    entries = fs.opendirSync(directory, { bufferSize: 1_000 });
  } catch {
    return []; // this user may take locks there, and not look round
  }
  try {
    for (; count < MOST_FILES && found.length < MOST_BESIDE; count += 1) {
      const entry = entries.readSync();
      if (entry === null) break;
      if (!entry.name.startsWith(prefix)) continue;
      const [token = "", end] = entry.name.slice(prefix.length).split(/(?=\.(?:break-\d+|alive|gone)$)/);
      if (parseToken(token) === undefined) continue;
      found.push({
        path: join(directory, entry.name),
        token,
        kind: end === undefined ? "owner" : end === ALIVE ? "alive" : end === GONE ? "gone" : "break",
      });
    }
  } finally {
    entries.closeSync();
  }
  looked(count);
  return found;
}
