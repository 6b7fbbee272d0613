// Whether the terminal's keys reach this process. Source: proc_pid_stat(5).

import { builtin } from "./node-builtins.ts";

/** Reports whether this process is of the foreground process group of its terminal. */
export function isInForeground(): boolean {
  const [own, foreground] = groups();
  return own !== undefined && own === foreground;
}

/** Reports whether another process group is in the foreground: who changes the terminal's mode then is stopped. */
export function isInBackground(): boolean {
  const [own, foreground] = groups();
  return own !== undefined && foreground !== NONE && own !== foreground;
}

/** What stands for the foreground of a process without a terminal. */
const NONE = "-1";

function groups(): readonly (string | undefined)[] {
  try {
    const stat = builtin("fs").readFileSync("/proc/self/stat", "latin1");
    const [, , own, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [own, foreground];
  } catch {
    return [];
  }
}
