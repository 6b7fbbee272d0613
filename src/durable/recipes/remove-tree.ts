// Removes a directory and all that is in it. Each directory is opened, and its
// entries are reached through the open descriptor: a link that is put in the
// place of a directory meanwhile does not lead out of the tree.

import { builtin, now } from "../../platform/node-builtins.ts";
import { entriesOf } from "../../platform/directory-entries.ts";
import { canReachByDescriptor, pathThrough } from "../../platform/open-directory.ts";
import { system } from "../../platform/this-system.ts";
import { patiently } from "../../platform/patience.ts";
import { durableError } from "../../errors/durable.ts";

type Stats = import("node:fs").Stats;

/** How often a directory that is being filled meanwhile is emptied again at least, however little time there is. */
const TRIES = 10;

const MOVED = "another directory has taken its place meanwhile";

const fs = builtin("fs");
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;

/**
 * Removes all that can be removed: one entry that stays does not save the others.
 *
 * @param path where the directory can be reached
 * @param shown its path for people
 * @param stats what the directory must be
 * @param until until when a directory that is being filled is emptied again, and, where a
 *   system has that, what is in use is waited for; by now()
 * @throws the error of the first entry that stays; one with the code
 *   `ERR_ATEXIT_REPLACED` where the directory is another one by now
 */
export function removeTree(path: string, shown: string, stats: Stats, until: number): void {
  const tree = new Tree(stats.dev, until);
  tree.remove(Buffer.from(path), shown, stats.ino);
  if (tree.failure !== undefined) throw tree.failure as Error;
}

class Tree {
  failure: unknown;
  readonly #dev: number;

  readonly #until: number;

  constructor(dev: number, until: number) {
    this.#dev = dev;
    this.#until = until;
  }

  /** Removes a directory. Reports whether it is gone. */
  remove(path: Buffer, shown: string, ino?: number): boolean {
    for (let tries = 1; ; tries += 1) {
      if (!this.#emptied(path, shown, ino)) return false;
      try {
        patiently(this.#until, () => fs.rmdirSync(path));
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT") return true;
        if (code !== "ENOTEMPTY" && code !== "EEXIST") return this.#stays(shown, error);
        if (tries >= TRIES && now() >= this.#until)
          return this.#stays(shown, durableError("ERR_ATEXIT_STILL_THERE", shown, "something goes on filling it"));
      }
    }
  }

  #emptied(path: Buffer, shown: string, ino: number | undefined): boolean {
    let fd: number;
    try {
      fd = open(path);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT" || this.#stays(shown, error);
    }
    try {
      const found = fs.fstatSync(fd);
      if (found.dev !== this.#dev || (ino !== undefined && found.ino !== ino)) {
        const why = found.dev === this.#dev ? "another directory has taken its place" : "it is on another file system";
        return this.#stays(shown, durableError("ERR_ATEXIT_REPLACED", shown, why));
      }
      return this.#empty(fd, pathThrough(fd, path), shown);
    } catch (error) {
      return this.#stays(shown, error);
    } finally {
      fs.closeSync(fd);
    }
  }

  #empty(fd: number, directory: Buffer, shown: string): boolean {
    let isEmpty = true;
    for (const { name, path, isDirectory } of entriesOf(directory)) {
      const shownEntry = `${shown}/${name.toString()}`;
      if (!isStillAt(fd, directory)) return this.#stays(shown, durableError("ERR_ATEXIT_REPLACED", shown, MOVED));
      const isGone = isDirectory ? this.remove(path, shownEntry) : this.#unlink(fd, path, shownEntry);
      isEmpty &&= isGone;
    }
    return isEmpty;
  }

  #unlink(fd: number, path: Buffer, shown: string): boolean {
    try {
      patiently(this.#until, () => unlink(path));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EACCES") return this.#stays(shown, error);
    }
    try {
      fs.fchmodSync(fd, 0o700); // a directory of this user's without the permission to write to it
      unlink(path);
      return true;
    } catch (error) {
      return this.#stays(shown, error);
    }
  }

  /** Notes why an entry stays; its path through a descriptor says nothing to people. */
  #stays(shown: string, error: unknown): false {
    const { code = "", message, syscall = "" } = error as NodeJS.ErrnoException;
    this.failure ??= code.startsWith("ERR_")
      ? error
      : Object.assign(durableError("ERR_ATEXIT_STILL_THERE", shown, `${syscall} ${code}`.trim() || message), {
          cause: error,
        });
    return false;
  }
}

/**
 * Reports whether an open directory is still what its path leads to. Only where there
 * is no way through the descriptor: what is put in its place between this look and the
 * removal of one entry is not seen. docs/limits.md says so.
 */
function isStillAt(fd: number, directory: Buffer): boolean {
  if (canReachByDescriptor) return true;
  const found = fs.lstatSync(directory, { throwIfNoEntry: false });
  const { dev, ino } = fs.fstatSync(fd);
  return found?.isDirectory() === true && found.ino === ino && found.dev === dev;
}

function open(path: Buffer): number {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  try {
    return fs.openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES" || !canReachByDescriptor) throw error;
    allowEntering(path);
    return fs.openSync(path, flags);
  }
}

/** Gives the permission to enter a directory of this user's, and of no link's. */
function allowEntering(path: Buffer): void {
  const fd = fs.openSync(path, system.O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    fs.chmodSync(pathThrough(fd, path), 0o700);
  } finally {
    fs.closeSync(fd);
  }
}

function unlink(path: Buffer): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
