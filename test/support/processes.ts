// What the system tells of other processes: whether they live, wait, and what
// they are called.

import { readdirSync, readFileSync } from "node:fs";

/** Whether there is such a process, and it has not ended. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Whether the process has no children, and sleeps. */
export function isWaiting(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "")[0];
    return state === "S" && childrenOf(pid).length === 0;
  } catch {
    return false; // it has ended
  }
}

/** What makes unshare(1) start a program as the first process of a pid namespace of its own, as in a container. */
export const CONTAINER = ["--pid", "--fork", "--kill-child", "--mount-proc"];

/** Kills a process, unless it has ended by now. */
export function endIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The pids of the processes that it has started itself, and that live. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return []; // it has ended
  }
}

/** The command and its arguments, each with a NUL behind it; nothing where it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** The pids of the other processes that have the text in their command. */
export function pidsNaming(text: string): number[] {
  return otherPids().filter((pid) => commandOf(pid).includes(text));
}

/** The pids of the other processes that were started with the text in their environment. */
export function pidsWithin(text: string): number[] {
  return otherPids().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(text);
    } catch {
      return false; // it has ended, or is another user's
    }
  });
}

function otherPids(): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => pid !== process.pid);
}
