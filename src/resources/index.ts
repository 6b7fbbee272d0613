// The face of `atexit/resources`: what leaks in real programs, as handles that
// are cleaned up once: at the end of their scope, when closed, or at exit.

/// <reference lib="esnext.disposable" preserve="true" />

import { acquire, acquireSync, type LockFile, type LockOptions } from "./lock-file.js";

export { LockHeldError, type ResourceErrorCode } from "./errors.js";
export type { LockFile, LockOptions };

/**
 * Takes a lock: of all processes that call this with the same path, one at a
 * time has it, however the others end.
 *
 * - Every exit that JavaScript sees: it is let go, after what was registered
 *   later has been cleaned up.
 * - SIGKILL, a crash, out of memory: the next one gets it as soon as the dead
 *   one's recipes have been carried out, by its guard or by the next one itself.
 * - Power loss: the next start gets it.
 *
 * @param path the lock file: a place that all contenders name alike, on a file system with hard links
 * @param options how long to wait in milliseconds, an `AbortSignal` to stop waiting, and what others may read of this holder
 * @throws (rejects with) a {@link LockHeldError} that says who holds it; the
 *   signal's reason; an error with the code `ERR_ATEXIT_LOCK` where the system
 *   refuses
 * @example
 * ```js
 * import { lockFile } from "atexit/resources";
 *
 * const lock = await lockFile("app.lock", { wait: 5_000 });
 * console.log("the only one");
 * lock.release();
 * ```
 */
export function lockFile(path: string | URL, options: LockOptions & { signal?: AbortSignal } = {}): Promise<LockFile> {
  return acquire(path, options);
}

/**
 * The same as {@link lockFile}, blocking the event loop while it waits.
 *
 * @throws a {@link LockHeldError} that says who holds it; an error with the code
 *   `ERR_ATEXIT_LOCK` where the system refuses
 * @example
 * ```js
 * import { lockFileSync } from "atexit/resources";
 *
 * const lock = lockFileSync("app.lock");
 * console.log("the only one");
 * lock.release();
 * ```
 */
export function lockFileSync(path: string | URL, options: LockOptions = {}): LockFile {
  return acquireSync(path, options);
}
