// Temporary files and directories, removed on every way out.

import { absolutePath } from "../platform/absolute-path.ts";
import { process } from "../platform/process.ts";
import { builtin } from "../platform/node-builtins.ts";
import { forResources } from "../durable/index.ts";
import { describeRemoveOfNamed, describeRemoveOfNew } from "../durable/recipes/remove.ts";
import { type FileIdentity, identityOf, isSameFile } from "../platform/file-identity.ts";
import type { Registration } from "../index.ts";
import { resourceError } from "../errors/resources.ts";
import type { Callee } from "./register-for-caller.ts";

/** The place and the name of a temporary file or directory. */
export interface TempOptions {
  /** The beginning of its name. `"tmp-"` by default. */
  prefix?: string;
  /** The end of its name: `".json"`. */
  suffix?: string;
  /**
   * The directory in which it is made. By default the system's own, as `TMPDIR` says. A
   * relative one does not lead out of the working directory.
   */
  dir?: string;
  /** Its whole name, in place of one that cannot be guessed: where something of that name is, nothing is made. */
  name?: string;
  /** Its mode, whatever the umask. 0600 for a file and 0700 for a directory by default. */
  mode?: number;
}

/** What a temporary file may have besides. */
export interface TempFileOptions extends TempOptions {
  /** What is in it. By default nothing. */
  content?: string | Uint8Array;
}

/** What a temporary directory may have besides. */
export interface TempDirOptions extends TempOptions {
  /** Whether it is removed only where nothing is in it: what others have put there stays, and it with that. */
  onlyIfEmpty?: boolean;
}

/** A temporary file or directory. */
export interface Temp extends Disposable, AsyncDisposable {
  /** The path, absolute. */
  readonly path: string;
  /** Removes the file or directory now, also where it was kept; a second call does nothing. */
  remove(): void;
  /** Keeps the file or directory: it stays at the end of its scope, and at exit. */
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

type Condition = Parameters<typeof describeRemoveOfNew>[1];

/** What is written down, then made, and removed on every way out. */
export class TempPath implements Temp {
  readonly path: string;
  readonly #callee: Callee;
  readonly #condition: Condition;
  readonly #registration: Registration<void>;
  /** Which file it was when it was kept: what has taken its place is not removed. */
  #kept: FileIdentity | undefined;

  /** @param isNamed whether others know the name, and may have something there */
  constructor(callee: Callee, path: string, make: () => void, condition: Condition = {}, isNamed = false) {
    this.#callee = callee;
    this.#condition = condition;
    this.path = path;
    // The recipe is written down first: at no moment is there a file that is left behind.
    const { registration, pending } = forResources.add(callee, (clock) =>
      isNamed ? describeRemoveOfNamed(path, clock, condition) : describeRemoveOfNew(path, condition),
    );
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
    this.#removeKept(this.#condition?.onlyIfEmpty !== true);
  }

  #removeKept(isWhole: boolean): void {
    const kept = this.#kept;
    this.#kept = undefined;
    const now = kept && fs.lstatSync(this.path, { throwIfNoEntry: false });
    if (kept === undefined || now === undefined || !isSameFile(now, this.path, kept, true)) return;
    if (isWhole) fs.rmSync(this.path, { recursive: true, force: true });
    else if (fs.readdirSync(this.path).length === 0) fs.rmdirSync(this.path);
  }

  keep(): void {
    const stats = fs.lstatSync(this.path, { throwIfNoEntry: false });
    if (this.#registration.cancel()) this.#kept = stats && identityOf(stats);
  }

  persist(path: string): "renamed" | "copied" {
    const target = finalPath(path);
    likeBefore(this.path, target);
    try {
      fs.renameSync(this.path, target);
      this.#registration.cancel();
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
    if (this.#condition?.onlyIfEmpty !== true) this.remove();
    else {
      this.keep();
      this.#removeKept(true);
    }
    return "copied";
  }

  [Symbol.dispose](): void {
    this.#registration.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#registration.run();
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
  const before = fs.lstatSync(target, { throwIfNoEntry: false });
  if (before?.isFile() !== true || !fs.statSync(path).isFile()) return;
  if (process.getuid?.() === 0) fs.chownSync(path, before.uid, before.gid);
  fs.chmodSync(path, before.mode & 0o777);
}

export function makeTempFile(callee: Callee, options: TempFileOptions): Temp {
  const { content = "", mode = 0o600 } = options;
  if (typeof content !== "string" && !(content instanceof Uint8Array)) {
    throw resourceError(
      "ERR_ATEXIT_OPTION",
      "content",
      content,
      "a string or a Uint8Array; write a stream to its path",
    );
  }
  return made(callee, options, (path) => {
    const fd = fs.openSync(path, "wx", 0o600); // private until all of it is there
    try {
      fs.writeFileSync(fd, content);
      if (mode !== 0o600) fs.fchmodSync(fd, mode);
    } finally {
      fs.closeSync(fd);
    }
  });
}

export function makeTempDir(callee: Callee, options: TempDirOptions): Temp {
  const { mode = 0o700, onlyIfEmpty = false } = options;
  if (typeof onlyIfEmpty !== "boolean")
    throw resourceError("ERR_ATEXIT_OPTION", "onlyIfEmpty", onlyIfEmpty, "a boolean");
  const make = (path: string) => {
    fs.mkdirSync(path, 0o700);
    if (mode !== 0o700) fs.chmodSync(path, mode);
  };
  return made(callee, options, make, onlyIfEmpty ? { onlyIfEmpty } : {});
}

/** Removes it when the task has ended, however that ends. */
export async function withTemp<R>(temp: Temp, task: (temp: Temp) => R | PromiseLike<R>): Promise<R> {
  try {
    return await task(temp);
  } finally {
    temp[Symbol.dispose]();
  }
}

function made(callee: Callee, options: TempOptions, make: (path: string) => void, condition: Condition = {}): Temp {
  const { join, sep } = builtin("path");
  const { prefix = "tmp-", suffix = "", dir, name, mode } = options;
  for (const [what, part] of Object.entries({ prefix, suffix, ...(name === undefined ? {} : { name }) })) {
    const isPart = typeof part === "string" && !part.includes(sep) && !part.includes("/") && !part.includes("\0");
    if (!isPart || (what === "name" && ["", ".", ".."].includes(part))) {
      throw resourceError("ERR_ATEXIT_OPTION", what, part, "a string without a separator of paths");
    }
  }
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o777)) {
    throw resourceError("ERR_ATEXIT_OPTION", "mode", mode, "an integer from 0 to 0o777");
  }
  if (dir !== undefined) checkDirectory(dir);
  const directory = absolutePath(dir ?? builtin("os").tmpdir());
  for (;;) {
    const path = join(directory, name ?? `${prefix}${randomName()}${suffix}`);
    try {
      return new TempPath(callee, path, () => make(path), condition, name !== undefined);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EEXIST" && name === undefined) continue;
      if (code === undefined || code.startsWith("ERR_ATEXIT_")) throw error;
      throw Object.assign(resourceError("ERR_ATEXIT_TEMP", directory, message), { cause: error });
    }
  }
}

/** Refuses what leads out of the working directory, as what a program was given often does where it should not. */
function checkDirectory(dir: unknown): void {
  const { isAbsolute, normalize, sep } = builtin("path");
  const isPath = typeof dir === "string" && dir !== "" && !dir.includes("\0");
  if (isPath && (isAbsolute(dir) || normalize(dir).split(sep)[0] !== "..")) return;
  const instead = "an absolute path, or one that does not lead out of the working directory (resolve() it, if it may)";
  throw resourceError("ERR_ATEXIT_OPTION", "dir", dir, instead);
}

/** Returns a name of 122 random bits, which no other user can guess and take first. */
function randomName(): string {
  return crypto.randomUUID();
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
