// What the system says of which kind a file system is.

import { builtin } from "./node-builtins.ts";

/** Returns the kind of the file system that a path is on, as statfs(2) numbers it; `undefined` where it is not told. */
export function statfsType(path: string): number | undefined {
  try {
    return builtin("fs").statfsSync(path).type;
  } catch {
    return undefined;
  }
}
