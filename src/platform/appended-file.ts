// Opens what text is appended to: a log, a trace. Where other users can put
// something in its place, what they have put there is not written to, and nothing
// is waited for.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";
import type { OpenFile } from "./regular-file.ts";
import { system } from "./this-system.ts";

type Stats = import("node:fs").Stats;

/** How many links may follow each other. Source: path_resolution(7). */
const MOST_LINKS = 40;

const WRITABLE_BY_ALL = 0o002;

/** What text is appended to. */
export interface AppendedFile extends OpenFile {
  /** Whether the descriptor is the process's own output, which nobody else opens or closes. */
  readonly isOutput?: boolean;
}

/**
 * Opens a file to append to it, and makes it where there is none: a regular file,
 * a device, a pipe that is read, or what this process's own output is. A link is followed where this user, root or the
 * owner of its directory has made it.
 *
 * @param mode the mode of a file that is made
 * @returns the file, or why it is not opened
 * @throws the system's error
 */
export function openToAppend(path: string, mode: number): AppendedFile | { readonly why: string } {
  const fs = builtin("fs");
  const { O_APPEND, O_CREAT, O_NOCTTY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_WRONLY } = fs.constants;
  const target = followed(path);
  if (typeof target !== "string") return target;
  // A descriptor is told by a link of the kernel's, which has no name to put in its place.
  const follow = isDescriptor(target) ? 0 : O_NOFOLLOW;
  try {
    // A pipe without a reader is not waited for, and no terminal becomes this process's.
    const fd = fs.openSync(target, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | follow, mode);
    return { fd, stats: fs.fstatSync(fd) };
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const output = UNOPENED_OUTPUT.has(code) ? outputAt(target) : undefined;
    if (output !== undefined) return output;
    const why = WHY_NOT_OPENED[code];
    if (why === undefined) throw error;
    return { why };
  }
}

/** The errors of open(2) that tell what is at the path. */
const WHY_NOT_OPENED: Readonly<Record<string, string>> = {
  EISDIR: "it is a directory",
  ELOOP: "a link has been put there at this moment",
  ENXIO: "it is a socket, or a named pipe that nobody reads",
};

/**
 * The errors of open(2) for /dev/stdout where the output is a socket, as under a
 * process manager, or a pipe that another user has made, as in a container that has
 * dropped its privileges.
 */
const UNOPENED_OUTPUT: ReadonlySet<string> = new Set(["ENXIO", "EACCES"]);

/** Returns this process's own output, where it is at a path: one that cannot be opened once more can be written to. */
function outputAt(path: string): AppendedFile | undefined {
  const fs = builtin("fs");
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  if (stats?.isSocket() !== true && stats?.isFIFO() !== true) return undefined;
  const fd = [1, 2].find((each) => isSameFile(each, stats));
  return fd === undefined ? undefined : { fd, stats, isOutput: true };
}

function isSameFile(fd: number, { dev, ino }: Stats): boolean {
  try {
    const stats = builtin("fs").fstatSync(fd);
    return stats.dev === dev && stats.ino === ino;
  } catch {
    return false; // it is closed
  }
}

/** Reports whether something is this process's own output, as a container's /dev/stdout is. */
export function isOwnOutput(stats: Stats): boolean {
  return [1, 2].some((fd) => isSameFile(fd, stats));
}

/** Returns where the links at a path's end lead, if nobody else has made them. */
function followed(path: string): string | { readonly why: string } {
  const { dirname, resolve } = builtin("path");
  const fs = builtin("fs");
  let at = path;
  for (let links = 0; links < MOST_LINKS && !isDescriptor(at); links += 1) {
    const stats = fs.lstatSync(at, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() !== true) return at;
    if (!isTrusted(stats.uid) && stats.uid !== fs.statSync(dirname(at)).uid)
      return { why: `${at} is a link that belongs to another user (uid ${stats.uid})` };
    at = resolve(dirname(at), fs.readlinkSync(at));
  }
  return at;
}

/** Source: proc_pid_fd(5). */
function isDescriptor(path: string): boolean {
  return /^\/proc\/(?:self|thread-self|\d+)\/fd\/\d+$/.test(path);
}

function isTrusted(uid: number): boolean {
  const me = process.geteuid?.();
  return me === undefined || uid === me || uid === 0;
}

/** Returns why a file may be one that another user has put there for this one to write to, or `undefined`. */
export function whyPlanted(path: string, { mode, nlink, uid }: Stats): string | undefined {
  if (!system.filesHaveOwners) return undefined;
  const { dirname } = builtin("path");
  const directory = builtin("fs").statSync(dirname(path));
  const isForAll = (directory.mode & WRITABLE_BY_ALL) !== 0;
  if (isForAll && nlink > 1) return "it has a second name, and anybody may make files in its directory";
  // Who owns the directory decides what is in it. On some mounts all files have one owner.
  if (isTrusted(uid) || uid === directory.uid) return undefined;
  return isForAll || (mode & WRITABLE_BY_ALL) !== 0 ? `it belongs to another user (uid ${uid})` : undefined;
}
