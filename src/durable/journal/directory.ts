// The directory of journals. A journal can make a process delete files and run
// commands, so it counts only in a directory that no other user can write into, or
// put another one in the place of. Journals are read and written through a
// `JournalDirectory`, which cannot be had without that check.

import { homeDirectory } from "../../platform/home-directory.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { modeOf, whyReplaceable } from "../../platform/trusted-path.ts";
import { environment, process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

const fs = builtin("fs");
const { filesHaveOwners } = system;

export class JournalDirectory {
  /** Absolute. */
  readonly path: string;

  /** Whether it was made for this object. */
  readonly #isNew: boolean;
  #isLocal: boolean | undefined;

  private constructor(path: string, isNew = false) {
    this.path = path;
    this.#isNew = isNew;
  }

  /** Whether this system alone uses its file system. */
  get isLocal(): boolean {
    this.#isLocal ??= system.isLocal(this.path);
    return this.#isLocal;
  }

  /**
   * Returns a directory that is there.
   *
   * @throws an error with the code `ERR_ATEXIT_DIRECTORY` where another user could write into it
   */
  static at(path: string): JournalDirectory {
    const why = whyNotTrusted(path);
    if (why !== undefined) throw durableError("ERR_ATEXIT_DIRECTORY", path, why);
    return new JournalDirectory(path);
  }

  /**
   * Returns a directory that can be written to, and makes it where it does not
   * exist; nothing is made in a place where it would not be trusted.
   *
   * @throws an error with the code `ERR_ATEXIT_DIRECTORY`
   */
  static made(path: string): JournalDirectory {
    let isNew = false;
    try {
      if (path.startsWith("/proc/"))
        throw durableError("ERR_ATEXIT_DIRECTORY", path, "it is another one for each process");
      isNew = !fs.existsSync(path) && make(path);
      const { path: trusted } = JournalDirectory.at(path);
      fs.accessSync(trusted, fs.constants.W_OK | fs.constants.X_OK); // the file system may be read only
      return new JournalDirectory(trusted, isNew);
    } catch (error) {
      if (isNew) unmake(path);
      const { code, message } = error as NodeJS.ErrnoException;
      throw code === "ERR_ATEXIT_DIRECTORY" ? error : durableError("ERR_ATEXIT_DIRECTORY", path, message);
    }
  }

  /** Takes back that it was made, where nothing could be kept in it. */
  unmake(): void {
    if (this.#isNew) unmake(this.path);
  }

  /** What the paths of all files in it begin with. */
  get prefix(): string {
    return this.path + builtin("path").sep;
  }

  /** Returns the path of a file in it. */
  file(name: string): string {
    return builtin("path").join(this.path, name);
  }
}

/** Makes a directory, where it would be trusted. Reports whether nobody else has meanwhile. */
function make(path: string): boolean {
  const why = whyReplaceable(nearestAbove(path), { isSticky: true, ownLinks: false });
  if (why !== undefined) throw durableError("ERR_ATEXIT_DIRECTORY", path, why);
  return fs.mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
}

function unmake(path: string): void {
  try {
    fs.rmdirSync(path);
  } catch {
    // Another process has found a use for it.
  }
}

/**
 * Returns the directory for journals, and makes it where it does not exist.
 *
 * @param wanted what the operator or the program has set
 * @throws an error with the code `ERR_ATEXIT_DIRECTORY`
 */
export function journalDirectory(wanted: string | undefined): JournalDirectory {
  const [first] = journalDirectories(wanted);
  return first as JournalDirectory; // where there is none, that has thrown
}

/**
 * Lists the directories for journals, the best first, and makes each as it is come to.
 *
 * @param wanted what the operator or the program has set, which has no alternative
 * @throws an error with the code `ERR_ATEXIT_DIRECTORY` where there is none at all
 */
export function* journalDirectories(wanted: string | undefined): Generator<JournalDirectory, void> {
  const half = whyHalfDropped();
  if (half !== undefined) throw durableError("ERR_ATEXIT_DIRECTORY", wanted ?? "the user's directory", half);
  const places = wanted === undefined ? defaultPlaces() : [builtin("path").resolve(wanted)];
  let refusal: unknown;
  let isNone = true;
  for (const place of places) {
    let directory: JournalDirectory;
    try {
      directory = JournalDirectory.made(place);
    } catch (error) {
      refusal ??= error;
      continue;
    }
    isNone = false;
    yield directory;
  }
  if (isNone) throw refusal;
}

/**
 * Returns why a process can have no journal that acts in another user's name than its
 * own for now, as with seteuid(): its guard would be started as the one and trust the
 * other's files.
 */
function whyHalfDropped(): string | undefined {
  const [real, effective] = [process.getuid?.(), process.geteuid?.()];
  if (real === effective) return undefined;
  return `this process acts as uid ${effective}, and can be uid ${real} again: drop that first, for good, with process.setuid()`;
}

/**
 * Lists the default directories. The user's state directory comes first: unlike
 * the runtime directory it outlives a power cut. Source: the XDG Base Directory
 * Specification.
 */
function* defaultPlaces(): Generator<string> {
  const { isAbsolute, join } = builtin("path");
  const { tmpdir } = builtin("os");
  const home = homeDirectory();
  const { XDG_STATE_HOME, XDG_RUNTIME_DIR } = environment();
  if (XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)) yield join(XDG_STATE_HOME, "atexit");
  for (const directory of system.stateDirectories(environment())) yield join(directory, "atexit");
  // Under sudo the home directory may be another user's, which must not get files of root.
  if (home !== undefined && isOwn(home)) yield join(home, ".local", "state", "atexit");
  if (XDG_RUNTIME_DIR !== undefined && isOwn(XDG_RUNTIME_DIR)) yield join(XDG_RUNTIME_DIR, "atexit");
  yield* temporaryPlaces(tmpdir());
}

/** Lists directories in a place where another user may have made those with names that can be known before. */
function* temporaryPlaces(tmp: string): Generator<string> {
  const { join } = builtin("path");
  const name = `atexit-${process.geteuid?.() ?? "user"}`;
  yield join(tmp, name);
  const others = namesIn(tmp).filter((file) => file.startsWith(`${name}-`));
  yield* others.map((file) => join(tmp, file)).filter(isOwn);
  unguessable ??= Math.random().toString(36).slice(2);
  yield join(tmp, `${name}-${unguessable}`);
}

let unguessable: string | undefined;

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return []; // TMPDIR leads nowhere, or may not be listed
  }
}

function isOwn(path: string): boolean {
  try {
    const stats = fs.lstatSync(path);
    return stats.isDirectory() && (!filesHaveOwners || stats.uid === process.geteuid?.());
  } catch {
    return false; // it is not there, or not to be seen
  }
}

function nearestAbove(path: string): string {
  const { dirname } = builtin("path");
  let above = dirname(path);
  while (!fs.existsSync(above) && above !== dirname(above)) above = dirname(above);
  return above;
}

/** Returns why other users could write into a directory, or `undefined`. */
function whyNotTrusted(path: string): string | undefined {
  const own = fs.lstatSync(path, { throwIfNoEntry: false });
  if (own === undefined) return "it does not exist";
  if (own.isSymbolicLink()) return `${path} is a symbolic link`;
  if (!own.isDirectory()) return "it is no directory";
  if (!filesHaveOwners) return system.whyOpenToOthers?.(path);
  if (own.uid !== process.geteuid?.()) return `${path} belongs to another user (uid ${own.uid})`;
  if ((own.mode & 0o077) !== 0) return `others have access to it (mode ${modeOf(own)})`;
  return whyReplaceable(path, { ownLinks: false });
}

/** Returns why a file in such a directory cannot be this user's journal, or `undefined`. */
export function whyNotOwn(stats: import("node:fs").Stats): string | undefined {
  if (!stats.isFile()) return "it is no regular file";
  if (!filesHaveOwners) return undefined;
  if (stats.uid !== process.geteuid?.()) return `it belongs to another user (uid ${stats.uid})`;
  if ((stats.mode & 0o077) !== 0) return `others have access to it (mode ${modeOf(stats)})`;
  if (stats.nlink > 1) return "it has a second name";
  return undefined;
}
