// Removes a directory and all that is in it. Each directory is opened, and its
// entries are reached through the open descriptor: a link that is put in the
// place of a directory meanwhile does not lead out of the tree.

import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";

type Stats = import("node:fs").Stats;

/** How often a directory that is being filled meanwhile is emptied again. */
const TRIES = 10;

const fs = builtin("fs");
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;

/** Whether a descriptor's directory can be reached by name: on Linux with /proc. */
const canReachByDescriptor = process.platform === "linux" && fs.existsSync("/proc/self/fd");

/**
 * @param stats what the directory must be
 * @throws an error with the code `ERR_ATEXIT_REPLACED` where it is another one,
 *   or something is mounted inside
 */
export function removeTree(path: string, stats: Stats): void {
  const mount = mountInside(path);
  if (mount !== undefined) throw durableError("ERR_ATEXIT_REPLACED", path, `${mount} is mounted inside`);
  removeDirectory(Buffer.from(path), stats.dev, stats.ino);
}

function removeDirectory(path: Buffer, dev: number, ino?: number): void {
  for (let tries = 1; ; tries += 1) {
    const fd = open(path);
    try {
      const found = fs.fstatSync(fd);
      if (found.dev !== dev || (ino !== undefined && found.ino !== ino)) {
        const why = found.dev === dev ? "another directory has taken its place" : "it is on another file system";
        throw durableError("ERR_ATEXIT_REPLACED", path.toString(), why);
      }
      empty(fd, canReachByDescriptor ? Buffer.from(`/proc/self/fd/${fd}`) : path, dev);
    } finally {
      fs.closeSync(fd);
    }
    try {
      fs.rmdirSync(path);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
      if (tries === TRIES)
        throw durableError("ERR_ATEXIT_STILL_THERE", path.toString(), "something goes on filling it");
    }
  }
}

function open(path: Buffer): number {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  try {
    return fs.openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    fs.chmodSync(path, 0o700); // a directory of this user's without the permission to enter it
    return fs.openSync(path, flags);
  }
}

function empty(fd: number, directory: Buffer, dev: number): void {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, encoding: "buffer" })) {
    const path = Buffer.concat([directory, SLASH, entry.name]);
    const remove = () => (isDirectory(entry, path) ? removeDirectory(path, dev) : unlink(path));
    try {
      remove();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
      fs.fchmodSync(fd, 0o700);
      remove();
    }
  }
}

const SLASH = Buffer.from("/");

/** Reports whether an entry is a directory; some file systems do not tell its type. */
function isDirectory(entry: import("node:fs").Dirent<Buffer>, path: Buffer): boolean {
  const isUnknown = !entry.isDirectory() && !entry.isFile() && !entry.isSymbolicLink();
  return isUnknown ? fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true : entry.isDirectory();
}

function unlink(path: Buffer): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Returns a directory below this one that is mounted. A bind mount has the same device, and shows only here. */
function mountInside(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  let table: string;
  try {
    table = fs.readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return undefined;
  }
  const inside = `${fs.realpathSync(path)}/`;
  for (const line of table.split("\n")) {
    // proc(5): the fifth field, with \040 for a space.
    const point = (line.split(" ")[4] ?? "").replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (point.startsWith(inside)) return point;
  }
  return undefined;
}
