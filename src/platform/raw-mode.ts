// A terminal in raw mode, in which Ctrl-C is a character and nothing is echoed.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";

/** Gives the terminal its usual mode back, where this program has taken it. */
export function leaveRawMode(): void {
  try {
    if (builtin("tty").isatty(0) && process.stdin.isRaw) process.stdin.setRawMode(false);
  } catch {
    // The terminal is gone.
  }
}
