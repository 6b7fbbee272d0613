// The file by which others know that the owner of a journal or of a lock lives, on
// macOS and Windows: a kernel lock on it ends with its owner, whatever becomes of the
// clock and of the pid. On Linux the start of a process tells as much.
//
//   <journal directory>/<token>.alive      of a journal, or of who carries one out
//   <lock>.<token>.alive                   of a lock's holder, or of a contender

import { holdNewFile, isHeld } from "../../platform/kernel-lock.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { system } from "../../platform/this-system.ts";

const fs = builtin("fs");

/** What a file's name ends with. */
export const ALIVE = ".alive";

/** @param prefix of the tokens' files: a directory with a slash at its end, or a lock with a dot */
function lifePath(prefix: string, token: string): string {
  return `${prefix}${token}${ALIVE}`;
}

export class LifeFile {
  readonly #path: string;
  #fd: number | undefined;

  /** Holds it until release(), or until this thread ends. Without a kernel lock there is no file. */
  constructor(prefix: string, token: string) {
    this.#path = lifePath(prefix, token);
    this.#fd = holdNewFile(this.#path);
  }

  release(): void {
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    this.#fd = undefined;
    fs.rmSync(this.#path, { force: true });
  }
}

/** Removes the file of an owner that is dead. */
export function removeLifeFile(prefix: string, token: string): void {
  if (system.openLocks !== undefined) fs.rmSync(lifePath(prefix, token), { force: true });
}

/**
 * Reports what a kernel lock tells of an owner; `undefined` where it tells nothing.
 *
 * @param isThread whether the owner is known to be a worker thread, whose process may go on
 */
export function lifeByFile(prefix: string, token: string, pid: number, isThread = false): "alive" | "dead" | undefined {
  const path = lifePath(prefix, token);
  const held = isHeld(path);
  if (held !== false) return held === true ? "alive" : undefined;
  // execve(2) gives a process another program, and ends its locks: that one lives.
  const since = fs.lstatSync(path, { throwIfNoEntry: false })?.birthtimeMs;
  if (isThread || since === undefined) return isThread ? "dead" : undefined;
  return system.mayHaveStartedBy(pid, since) ? "alive" : "dead";
}
