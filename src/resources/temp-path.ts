// Temporary files and directories, removed on every way out.

import { absolutePath } from "../platform/absolute-path.ts";
import { process } from "../platform/process.ts";
import { builtin } from "../platform/node-builtins.ts";
import { forResources } from "../durable/index.ts";
import { describeRemoveOfNew } from "../durable/recipes/remove.ts";
import type { Registration } from "../index.ts";
import { resourceError } from "../errors/resources.ts";
import type { Callee } from "./register-for-caller.ts";

/** The place and the name of a temporary file or directory. */
export interface TempOptions {
  /** The beginning of its name. `"tmp-"` by default. */
  prefix?: string;
  /** The end of its name: `".json"`. */
  suffix?: string;
  /** The directory in which it is made. By default the system's own, as `TMPDIR` says. */
  dir?: string;
}

/** A temporary file or directory. */
export interface Temp extends Disposable, AsyncDisposable {
  /** The path, absolute. */
  readonly path: string;
  /** Removes the file or directory now; a second call does nothing. */
  remove(): void;
  /** Keeps the file or directory for good. */
  keep(): void;
  /**
   * Makes the file or directory permanent under another name, in one step: others
   * see nothing there (or what was there before), and then all of it.
   *
   * @param path the new name; a file that is there is replaced
   * @returns `"renamed"`; or `"copied"` where that is on another device: then it
   *   was copied beside the new name first, and renamed there
   * @throws the system's error; then it stays temporary
   */
  persist(path: string): "renamed" | "copied";
}

const fs = builtin("fs");

class TempPath implements Temp {
  readonly path: string;
  readonly #callee: Callee;
  readonly #registration: Registration<void>;

  constructor(callee: Callee, path: string, make: () => void) {
    this.#callee = callee;
    this.path = path;
    // The recipe is written down first: at no moment is there a file that is left behind.
    const { registration, pending } = forResources.add(callee, () => describeRemoveOfNew(path));
    this.#registration = registration;
    try {
      make();
      pending.identify();
    } catch (error) {
      this.#registration.cancel();
      throw error;
    }
  }

  remove(): void {
    this.#registration.run();
  }

  keep(): void {
    this.#registration.cancel();
  }

  persist(path: string): "renamed" | "copied" {
    const target = finalPath(path);
    likeBefore(this.path, target);
    try {
      fs.renameSync(this.path, target);
      this.keep();
      return "renamed";
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    }
    const beside = `${target}.${randomName()}`;
    const copy = new TempPath(this.#callee, beside, () => {
      fs.cpSync(this.path, beside, { recursive: true, errorOnExist: true, force: false, verbatimSymlinks: true });
    });
    try {
      flush(beside);
      fs.renameSync(beside, target);
      copy.keep();
    } finally {
      copy.remove();
    }
    this.remove();
    return "copied";
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.remove();
  }
}

/** Returns where a path leads: a link of this user's, or root's, goes on leading to the file; another user's is replaced. */
function finalPath(path: string): string {
  const target = absolutePath(path);
  const stats = fs.lstatSync(target, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink() !== true || ![0, process.geteuid?.() ?? stats.uid].includes(stats.uid)) return target;
  try {
    return fs.realpathSync.native(target);
  } catch {
    return target; // it leads nowhere
  }
}

/** Gives a file the mode and, where this user may, the owner of the one that it is about to replace. */
function likeBefore(path: string, target: string): void {
  const before = fs.statSync(target, { throwIfNoEntry: false });
  if (before?.isFile() !== true || !fs.statSync(path).isFile()) return;
  if (process.getuid?.() === 0) fs.chownSync(path, before.uid, before.gid);
  fs.chmodSync(path, before.mode & 0o777);
}

export function makeTempFile(callee: Callee, options: TempOptions): Temp {
  return made(callee, options, (path) => fs.closeSync(fs.openSync(path, "wx", 0o600)));
}

export function makeTempDir(callee: Callee, options: TempOptions): Temp {
  return made(callee, options, (path) => fs.mkdirSync(path, 0o700));
}

function made(callee: Callee, { prefix = "tmp-", suffix = "", dir }: TempOptions, make: (path: string) => void): Temp {
  const { join, sep } = builtin("path");
  for (const [what, part] of Object.entries({ prefix, suffix })) {
    if (typeof part !== "string" || part.includes(sep) || part.includes("/") || part.includes("\0")) {
      throw resourceError("ERR_ATEXIT_OPTION", what, part, "a string without a separator of paths");
    }
  }
  const directory = absolutePath(dir ?? builtin("os").tmpdir());
  for (;;) {
    const path = join(directory, `${prefix}${randomName()}${suffix}`);
    try {
      return new TempPath(callee, path, () => make(path));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") continue;
      if (code === undefined || code.startsWith("ERR_ATEXIT_")) throw error;
      throw Object.assign(resourceError("ERR_ATEXIT_TEMP", directory, message), { cause: error });
    }
  }
}

/** Returns a name of 128 random bits, which no other user can guess and take first. */
function randomName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
}

/** Writes a file to the disk before it gets its name: after a power cut there is all of it, or nothing. */
function flush(path: string): void {
  if (!fs.lstatSync(path).isFile()) return;
  const fd = fs.openSync(path, "r+");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
