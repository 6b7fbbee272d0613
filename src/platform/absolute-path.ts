// An absolute path that means what the system would take a path for.

import { system } from "./this-system.ts";

/** Returns an absolute path without `.` and `..`. */
export function absolutePath(path: string): string {
  return system.absolutePath(path);
}
