// A pid file, for those who look there for this process: systemd (`PIDFile=`), monit,
// scripts. A lock beside it decides who may write it, since a number alone proves
// nothing: it may be another process's by now.

import { absolutePath } from "../platform/absolute-path.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { isOfEarlierBoot, thisProcess } from "../platform/process-identity.ts";
import { openRegularFile } from "../platform/regular-file.ts";
import { system } from "../platform/this-system.ts";
import { holderOf } from "../durable/lock/holder.ts";
import { resourceError } from "../errors/resources.ts";
import { acquireSync } from "./lock-file.ts";
import type { Callee } from "./register-for-caller.ts";
import { makeTempFile, TempPath } from "./temp-path.ts";

/** A pid file with the pid of this process. */
export interface PidFile extends Disposable {
  /** The pid file, absolute. */
  readonly path: string;
  /**
   * Removes the file now, and lets others have it; a second call does nothing.
   *
   * @throws an error with the code `ERR_ATEXIT_REPLACED` where it is not this process's any more
   */
  remove(): void;
}

/** No system has greater ones. */
const GREATEST_PID = 2 ** 31 - 1;

/** Pid files are short; what is longer is none. */
const LONGEST = 64;

const fs = builtin("fs");

export function makePidFile(callee: Callee, given: unknown): PidFile {
  const path = pathOf(given);
  const before = pidOfHolder(`${path}.lock`);
  // It is registered first, and so it is released last: whoever has it next finds no file.
  const lock = acquireSync(callee, `${path}.lock`, {});
  let file: TempPath;
  try {
    removeStale(path, before);
    file = written(callee, path);
  } catch (error) {
    lock.release();
    throw error;
  }
  const remove = () => {
    try {
      file.remove();
    } finally {
      lock.release();
    }
  };
  return { path, remove, [Symbol.dispose]: remove };
}

/** Nobody sees half of it: it is written under another name, and linked. */
function written(callee: Callee, path: string): TempPath {
  const { basename, dirname } = builtin("path");
  const content = `${process.pid}\n`;
  const draft = makeTempFile(callee, { dir: dirname(path), prefix: `${basename(path)}.`, content, mode: 0o644 });
  try {
    return new TempPath(callee, path, () => fs.linkSync(draft.path, path), { holds: content });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw resourceError("ERR_ATEXIT_PID_FILE", path, "another program has made it just now");
  } finally {
    draft.remove();
  }
}

/** Returns the pid of who has the lock beside a pid file, where that is told: the number that it has in its own container. */
function pidOfHolder(lock: string): number | undefined {
  try {
    return holderOf(lock)?.record?.owner.pid;
  } catch {
    return undefined; // whoever takes the lock is told why
  }
}

/**
 * Removes what a program has left that is certainly gone. Those that use this function
 * have no lock here: whoever is alive in such a file is of another kind.
 *
 * @param before the pid of who had the lock before this process, and has it no more
 * @throws an error with the code `ERR_ATEXIT_PID_FILE` where somebody may have it
 */
function removeStale(path: string, before: number | undefined): void {
  const found = contentOf(path);
  if (found === undefined) return;
  const pid = /^\s*([1-9]\d{0,9})\s*$/.exec(found.text)?.[1];
  if (pid === undefined || Number(pid) > GREATEST_PID)
    throw resourceError("ERR_ATEXIT_PID_FILE", path, "it is there, and holds no pid");
  // A number that is this process's own was another's before: of an earlier start, as in a container.
  if (Number(pid) !== process.pid && isAlive(Number(pid))) {
    throw resourceError("ERR_ATEXIT_PID_FILE", path, `process ${pid}${programOf(pid)} is alive, and has it`);
  }
  if (Number(pid) !== before && mayBeElsewhere(path, Number(pid), found.stats)) {
    const why = `process ${pid} is not to be seen from here, and may be alive in another container, or on another machine, that shares the directory`;
    throw resourceError("ERR_ATEXIT_PID_FILE", path, why);
  }
  const now = fs.lstatSync(path, { throwIfNoEntry: false });
  if (now?.ino === found.stats.ino && now.dev === found.stats.dev) fs.unlinkSync(path);
}

function contentOf(path: string): { readonly text: string; readonly stats: import("node:fs").Stats } | undefined {
  try {
    const { fd, stats } = openRegularFile(path, fs.constants.O_RDONLY);
    try {
      return { text: stats.size > LONGEST ? "" : fs.readFileSync(fd, "utf8"), stats };
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw Object.assign(resourceError("ERR_ATEXIT_PID_FILE", path, message), { cause: error });
  }
}

/** Reports whether the pid in a file may be that of a process which cannot be seen from here. */
function mayBeElsewhere(path: string, pid: number, { ctimeMs }: import("node:fs").Stats): boolean {
  const isLocal = system.isLocal(builtin("path").dirname(path));
  if (isOfEarlierBoot({ pid, boot: thisProcess().boot }, { isLocal, writtenAt: ctimeMs })) return false;
  return !isLocal || system.mayBeElsewhere(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // in doubt it is
  }
}

function programOf(pid: string): string {
  try {
    return ` (${fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim()})`;
  } catch {
    return "";
  }
}

function pathOf(given: unknown): string {
  const path = given instanceof URL && given.protocol === "file:" ? builtin("url").fileURLToPath(given) : given;
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return absolutePath(path);
  throw resourceError("ERR_ATEXIT_OPTION", "The pid file", given, 'a path such as "/run/app/app.pid"');
}
