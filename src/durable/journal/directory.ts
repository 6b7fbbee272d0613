// The directory of journals. A journal can make a process delete files and run
// commands, so it counts only in a directory that no other user can write into.

import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";

const fs = builtin("fs");
const isWindows = process.platform === "win32";

/**
 * Returns the directory for journals, and makes it where it does not exist.
 *
 * @param wanted what the operator or the program has set
 * @throws an error with the code `ERR_ATEXIT_DIRECTORY`
 */
export function journalDirectory(wanted: string | undefined): string {
  if (wanted !== undefined) return prepared(builtin("path").resolve(wanted));
  let refusal: unknown;
  for (const candidate of defaultPlaces()) {
    try {
      return prepared(candidate);
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

/**
 * Lists the default directories. The user's state directory comes first: unlike
 * the runtime directory it outlives a power cut. Source: the XDG Base Directory
 * Specification.
 */
function* defaultPlaces(): Generator<string> {
  const { isAbsolute, join } = builtin("path");
  const { homedir, tmpdir } = builtin("os");
  const { XDG_STATE_HOME, XDG_RUNTIME_DIR, LOCALAPPDATA } = process.env;
  if (XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)) yield join(XDG_STATE_HOME, "atexit");
  if (isWindows && LOCALAPPDATA !== undefined) yield join(LOCALAPPDATA, "atexit");
  // Under sudo the home directory may be another user's, which must not get files of root.
  if (isOwn(homedir())) yield join(homedir(), ".local", "state", "atexit");
  if (XDG_RUNTIME_DIR !== undefined && isOwn(XDG_RUNTIME_DIR)) yield join(XDG_RUNTIME_DIR, "atexit");
  yield join(tmpdir(), `atexit-${process.geteuid?.() ?? "user"}`);
}

function isOwn(path: string): boolean {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && (isWindows || stats.uid === process.geteuid?.());
}

function prepared(path: string): string {
  try {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw durableError("ERR_ATEXIT_DIRECTORY", path, (error as Error).message);
  }
  const why = whyNotTrusted(path);
  if (why !== undefined) throw durableError("ERR_ATEXIT_DIRECTORY", path, why);
  return path;
}

/** Returns why other users could write into a directory, or `undefined`. Windows has access lists; untested here. */
export function whyNotTrusted(path: string): string | undefined {
  if (isWindows) return undefined;
  const me = process.geteuid?.();
  const { dirname } = builtin("path");
  const own = fs.lstatSync(path, { throwIfNoEntry: false });
  if (own === undefined) return "it does not exist";
  if (!own.isSymbolicLink() && !own.isDirectory()) return "it is no directory";
  if (own.isDirectory() && (own.mode & 0o077) !== 0) return `others have access to it (mode ${mode(own.mode)})`;
  for (let at = path; ; at = dirname(at)) {
    const stats = at === path ? own : fs.lstatSync(at);
    const mine = stats.uid === me;
    // A link by the system itself (/var/run, /tmp on macOS) leads where the system wants.
    if (stats.isSymbolicLink() && (at === path || stats.uid !== 0 || me === 0)) return `${at} is a symbolic link`;
    if (!mine && (at === path || stats.uid !== 0)) return `${at} belongs to another user (uid ${stats.uid})`;
    const isOpenToAll = (stats.mode & 0o002) !== 0 && (stats.mode & 0o1000) === 0;
    if (stats.isDirectory() && isOpenToAll) return `anybody can replace what is in ${at} (mode ${mode(stats.mode)})`;
    if (at === dirname(at)) return undefined;
  }
}

function mode(bits: number): string {
  return `0${(bits & 0o7777).toString(8)}`;
}

/** Returns why a file in such a directory cannot be this user's journal, or `undefined`. */
export function whyNotOwn(stats: import("node:fs").Stats): string | undefined {
  if (!stats.isFile()) return "it is no regular file";
  if (isWindows) return undefined;
  if (stats.uid !== process.geteuid?.()) return `it belongs to another user (uid ${stats.uid})`;
  if ((stats.mode & 0o077) !== 0) return `others have access to it (mode ${mode(stats.mode)})`;
  if (stats.nlink > 1) return "it has a second name";
  return undefined;
}
