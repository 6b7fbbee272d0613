// A kernel lock that open(2) itself takes, and that ends with the process, where the
// system has one: O_EXLOCK on macOS, a file that is shared with nobody on Windows.

import { builtin } from "./node-builtins.ts";
import { system } from "./this-system.ts";

const fs = builtin("fs");
const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_RDWR } = fs.constants;

/**
 * Makes a file and locks it, until the descriptor is closed: by this thread, or by
 * the system at its end.
 *
 * @returns the descriptor; `undefined` where no lock can be had, and no file is left
 */
export function holdNewFile(path: string): number | undefined {
  const { exclusive } = system.openLocks ?? {};
  if (exclusive === undefined) return undefined;
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | exclusive, 0o644);
  } catch {
    return undefined; // the file system has no locks, or the directory takes no files
  }
  if (isHeld(path) === true) return fd;
  fs.closeSync(fd);
  fs.rmSync(path, { force: true });
  return undefined;
}

/**
 * Reports whether somebody holds the lock of a file. `undefined` where that cannot be
 * known: a runtime or a file system may take the flags for nothing, and then would
 * have everybody dead.
 */
export function isHeld(path: string): boolean | undefined {
  const { openLocks } = system;
  if (openLocks === undefined) return undefined;
  const { exclusive, shared, busy } = openLocks;
  const isBusy = (error: unknown) => busy.includes((error as NodeJS.ErrnoException).code ?? "");
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | shared);
  } catch (error) {
    return isBusy(error) ? true : undefined;
  }
  try {
    // It is free; and a lock shows here, since this very descriptor's does.
    fs.closeSync(fs.openSync(path, O_RDONLY | O_NOFOLLOW | exclusive));
    return undefined;
  } catch (error) {
    return isBusy(error) ? false : undefined;
  } finally {
    fs.closeSync(fd);
  }
}
