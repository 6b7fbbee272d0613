// Loads the part of this package that writes traces and prints reports: only
// where an operator asks for it, or a shutdown has passed its deadline.

import { builtin } from "../platform/node-builtins.ts";
import { packageFile } from "../platform/package-files.ts";
import type { Exit } from "../registry/exit-reason.ts";
import type { SlowCleanups } from "./slow-cleanups.ts";
import { report } from "./stderr.ts";

/** What that part does for a shutdown. */
export interface TraceWriter {
  /**
   * Begins to watch the channels, as the environment says.
   *
   * @param describeError shows what a cleanup threw: only where cleanups are called can their frames be told
   */
  observe(describeError: (error: unknown) => string): void;
  /** Says why a shutdown took all of its grace period, in milliseconds. */
  printOverdue(exit: Exit, slow: SlowCleanups, grace: number): void;
}

/** The SHA-256 of the published file, which the build puts here. The sources have none. */
const DIGEST: string = "";

/** Returns `undefined` where it cannot be loaded, and reports why: only reports depend on it. */
export function loadTraceWriter(): TraceWriter | undefined {
  try {
    const file = builtin("url").fileURLToPath(packageFile("trace writer"));
    // Beside a bundle, and where a bundler has found this package on another machine, anything may lie.
    if (!isOurs(file)) throw new Error(`${file} is missing, or of another build of atexit`);
    return builtin("module").createRequire(import.meta.url)(file) as TraceWriter;
  } catch (error) {
    report(`no trace and no report of this shutdown: ${(error as Error).message.split("\n", 1)[0]}`);
    return undefined;
  }
}

function isOurs(file: string): boolean {
  if (DIGEST === "") return true;
  const fs = builtin("fs");
  if (!fs.existsSync(file)) return false;
  return builtin("crypto").createHash("sha256").update(fs.readFileSync(file)).digest("hex") === DIGEST;
}
