// Opens regular files, and nothing else: a named pipe, a device or a link that
// somebody has put in a file's place neither blocks whoever opens it nor leads
// him elsewhere.

import { builtin } from "./node-builtins.ts";

type Stats = import("node:fs").Stats;

/** An open file, and what fstat(2) tells of it. */
export interface OpenFile {
  readonly fd: number;
  readonly stats: Stats;
}

/**
 * Opens a regular file, as `fs.openSync` does. No link at the path's end is
 * followed; a link to a directory above it is.
 *
 * @param flags numbers of `fs.constants`, such as `O_WRONLY | O_APPEND | O_CREAT`
 * @param mode the mode of a file that is made
 * @throws the system's error: `ELOOP` where a link is there; an error with the
 *   code `EFTYPE` where something else is that is no regular file
 */
export function openRegularFile(path: string, flags: number, mode?: number): OpenFile {
  const fs = builtin("fs");
  // Windows lacks these. A pipe without a reader or writer is not waited for, and no terminal becomes this process's.
  const { O_NOCTTY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  const fd = fs.openSync(path, flags | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, mode);
  try {
    const stats = fs.fstatSync(fd);
    if (!stats.isFile()) throw noRegularFile(path);
    return { fd, stats };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

function noRegularFile(path: string): Error {
  return Object.assign(new Error(`EFTYPE: ${path} is no regular file`), { code: "EFTYPE", path });
}
