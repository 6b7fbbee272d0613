// The user's home directory: in a container a user may have none, nor an account.

import { builtin } from "./node-builtins.ts";

/** Returns the home directory; `undefined` where neither the environment nor an account tells of one. */
export function homeDirectory(): string | undefined {
  try {
    return builtin("os").homedir();
  } catch {
    return undefined;
  }
}
