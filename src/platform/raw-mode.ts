// A terminal in raw mode, in which Ctrl-C is a character and nothing is echoed.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";
import { systemExits } from "./this-system.ts";

const STDIN = 0;

/** Gives the terminal its usual mode back, where this program has taken it. */
export function leaveRawMode(): void {
  try {
    // From the background it would stop this process.
    if (isTerminal(STDIN) && process.stdin.isRaw && systemExits.isInBackground?.() !== true)
      process.stdin.setRawMode(false);
  } catch {
    // The terminal is gone.
  }
}

/** Reports whether a descriptor is a terminal. To load node:tty takes 2 ms, and most services have /dev/null there. */
function isTerminal(fd: number): boolean {
  return mayBeTerminal(fd) && builtin("tty").isatty(fd);
}

function mayBeTerminal(fd: number): boolean {
  const { fstatSync, statSync } = builtin("fs");
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && stats.rdev !== statSync("/dev/null").rdev;
  } catch {
    return true; // there is no such file on Windows
  }
}
