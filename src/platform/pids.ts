// Pids, as every system has them.

import { process } from "./process.ts";

/** Reports whether any process has a pid. */
export function isAnybodys(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Where /proc is hidden, another user's process still refuses the signal.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
