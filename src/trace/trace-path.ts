// Finds the file for the trace of a process.

import { builtin } from "../platform/node-builtins.ts";
import { thisProcess } from "../platform/process-identity.ts";
import { process } from "../platform/process.ts";

/** The key under which the path is kept: the program may change its working directory. */
const KEY = Symbol.for("atexit.trace");

/**
 * Returns the file that `ATEXIT_TRACE` means for this process: the file itself,
 * or a file of its own in that directory. All threads of a process get the same.
 */
export function traceFile(wanted: string): string {
  const holder = process as { [KEY]?: string };
  holder[KEY] ??= resolved(wanted);
  return holder[KEY];
}

function resolved(wanted: string): string {
  const { basename, dirname, join, resolve } = builtin("path");
  const path = resolve(wanted);
  const isDirectory = /[\\/]$/.test(wanted) || isDirectoryNow(path);
  const { pid, start } = thisProcess();
  return isDirectory
    ? join(real(path), `${programName().replace(/[^\w.-]+/g, "_")}-${pid}-${start}.trace.json`)
    : join(real(dirname(path)), basename(path));
}

function isDirectoryNow(path: string): boolean {
  try {
    return builtin("fs").statSync(path).isDirectory();
  } catch {
    return false; // the error is reported when the trace is written
  }
}

/** Returns the name of the program that this process runs. */
export function programName(): string {
  return builtin("path").basename(process.argv[1] ?? process.execPath) || "node";
}

/** Returns a path without links: a process that carries on with the trace has another directory, and follows none. */
function real(directory: string): string {
  try {
    return builtin("fs").realpathSync(directory);
  } catch {
    return directory;
  }
}
