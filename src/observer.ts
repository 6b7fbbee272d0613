// The part of this package that writes traces and prints reports, loaded only
// where an operator asks for it, or a shutdown has passed its deadline.

import { builtin } from "./builtin.js";
import { report } from "./report.js";

/** `undefined` where it cannot be loaded: nothing depends on it but what is said. */
export function observer(): typeof import("./trace/observer.js") | undefined {
  try {
    return builtin("module").createRequire(import.meta.url)("./trace.cjs") as typeof import("./trace/observer.js");
  } catch (error) {
    report(`no trace and no report of this shutdown: ${(error as Error).message.split("\n", 1)[0]}`);
    return undefined;
  }
}

/** Whether the environment asks for a trace on disk, or for a report at the end. */
export function isObserverWanted({ ATEXIT_TRACE, ATEXIT_REPORT }: NodeJS.ProcessEnv): boolean {
  return Boolean(ATEXIT_TRACE) || isOn(ATEXIT_REPORT);
}

/** Whether a variable of the environment switches something on. */
export function isOn(text: string | undefined): boolean {
  return text !== undefined && !["", "0", "off", "no", "false"].includes(text.trim().toLowerCase());
}
