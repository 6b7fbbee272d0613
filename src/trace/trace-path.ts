// Where the trace of a process goes.

import { builtin } from "../platform/node-builtins.ts";
import { thisProcess } from "../platform/process-identity.ts";

/** Where it was found out: the program may go to another directory. */
const KEY = Symbol.for("atexit.trace");

/**
 * The file that `ATEXIT_TRACE` means for this process: the file itself, or one
 * of its own in that directory. All threads of a process come to the same.
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
    return false; // what is wrong with it is said when it is written to
  }
}

/** What this process runs, in one word. */
export function programName(): string {
  return builtin("path").basename(process.argv[1] ?? process.execPath) || "node";
}

/** Who carries on with the trace may stand elsewhere, and follows no link. */
function real(directory: string): string {
  try {
    return builtin("fs").realpathSync(directory);
  } catch {
    return directory;
  }
}
