// A directory that is held open, so that what is in it can be reached whatever
// its path leads to meanwhile: a link that is put in its place leads nowhere.

import { builtin } from "./node-builtins.ts";
import { type FileIdentity, identityOf, isSameFile } from "./file-identity.ts";
import { system } from "./this-system.ts";

const fs = builtin("fs");
const { O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;
const { O_PATH } = system;

/** Whether an open directory can be reached by name, whatever is at its own path. */
export const canReachByDescriptor = system.pathOfDescriptor(0) !== undefined;

/** Returns a path that leads to an open directory. @param path its own, where there is no such way */
export function pathThrough(fd: number, path: Buffer): Buffer {
  const through = system.pathOfDescriptor(fd);
  return through === undefined ? path : Buffer.from(through);
}

/** Where an entry is: the nearest directory that was there, and the names from there on. */
export interface Place {
  /** Absolute. */
  readonly path: string;
  /** The nearest directory that was there. */
  readonly in: FileIdentity;
  /** How many of the path's names are below that directory; 1 where it is left out. */
  readonly below?: number;
}

/** An entry of a directory, reached through the open directory. */
export class OpenEntry {
  /** The path to use with the system: through the descriptor, or where there is no such way, as it was given. */
  readonly path: string;
  readonly #fd: number;
  readonly #name: string;

  constructor(fd: number, directory: string, name: string) {
    const { join } = builtin("path");
    this.#fd = fd;
    this.#name = name;
    this.path = join(system.pathOfDescriptor(fd) ?? directory, name);
  }

  /** The real path as it is now, for people and for the table of mounts. */
  get realPath(): string {
    const { dirname, join } = builtin("path");
    const directory = dirname(this.path);
    return join(canReachByDescriptor ? fs.readlinkSync(directory) : fs.realpathSync(directory), this.#name);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

/**
 * Returns where a path is now, as a place that can be found again.
 *
 * @throws the system's error where not even its root is there: a drive of Windows
 */
export function placeOf(path: string): Place {
  const { dirname } = builtin("path");
  for (let at = dirname(path), below = 1; ; at = dirname(at), below += 1) {
    const stats = fs.statSync(at, { throwIfNoEntry: at === dirname(at) });
    if (stats !== undefined) return { path, in: identityOf(stats), ...(below === 1 ? {} : { below }) };
  }
}

/**
 * Opens the directory of a place. The directory that was there is recognised by
 * its identity, whatever led to it; from there on no link is followed.
 *
 * @param sameDevices whether devices have the same numbers as then
 * @returns the entry; `"gone"` where its directory is not there any more; or why it is not this place
 */
export function openEntry(
  { path, in: identity, below = 1 }: Place,
  sameDevices: boolean,
): OpenEntry | "gone" | { readonly why: string } {
  const { basename, dirname, join, sep } = builtin("path");
  let directory = path;
  for (let up = 0; up < below; up += 1) directory = dirname(directory);
  const between = dirname(path)
    .slice(directory.length)
    .split(sep)
    .filter((name) => name !== "");
  let fd: number | undefined;
  try {
    fd = fs.openSync(directory, O_PATH | O_DIRECTORY);
    if (!isSameFile(fs.fstatSync(fd), directory, identity, sameDevices)) {
      fs.closeSync(fd);
      return { why: `${directory} is another directory by now` };
    }
    for (const name of between) {
      const next = join(system.pathOfDescriptor(fd) ?? directory, name);
      const below = fs.openSync(next, O_PATH | O_DIRECTORY | O_NOFOLLOW);
      fs.closeSync(fd);
      fd = below;
      directory = join(directory, name);
    }
    return new OpenEntry(fd, directory, basename(path));
  } catch (error) {
    if (fd !== undefined) fs.closeSync(fd);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "gone";
    if (code === "ENOTDIR" || code === "ELOOP") return { why: `${directory} leads through what is no directory` };
    throw Object.assign(new Error(message, { cause: error }), { code });
  }
}
