// What the environment of another process says of it: whose descendant it is, and
// whether it is a helper of this package. Linux only.

import { block } from "./block.ts";
import { builtin } from "./node-builtins.ts";
import { childOf, isYoung } from "./process-list.ts";
import { process } from "./process.ts";

/** The variable of the environment that marks a child's descendants. */
export const MARK = "ATEXIT_CHILD";

/** The variable that guards and other helpers have, which outlive the program that they clean up after. */
const HELPER = "ATEXIT_HELPER";

/** The name under which a shell runs as a guard. */
const GUARD = "atexit-guard";

/**
 * Returns the mark in a process's environment, as it was when its program began.
 *
 * @param ofEnded what it is where the process has ended, and has no environment any more
 */
export function markOf(pid: number, ofEnded?: string): string | undefined {
  return variableOf(pid, MARK, ofEnded);
}

/**
 * Reports whether a process is a guard, or another helper of any program.
 *
 * @param inherited what its ancestors had in the variable of helpers, and were none
 */
export function isHelper(pid: number, inherited: string): boolean {
  const said = helperOf(pid);
  return (said !== "" && said !== inherited) || isGuard(pid);
}

/** Returns what a process has in the variable of helpers. */
export function helperOf(pid: number): string {
  return variableOf(pid, HELPER) ?? "";
}

/** Reports whether a process was started as `/bin/sh -c <script> atexit-guard …`. */
function isGuard(pid: number): boolean {
  try {
    const [, option, , name] = builtin("fs").readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
    return option === "-c" && name === GUARD;
  } catch {
    return false;
  }
}

function variableOf(pid: number, name: string, ofEnded?: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const environment = environmentOf(pid);
    if (environment === "") return ofEnded;
    const entries = environment.split("\0");
    return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch (error) {
    // Depending on the kernel an ended process has no environment, or an empty one. Another user's cannot be read.
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? ofEnded : undefined;
  }
}

/** How often an environment that is not there yet is read, 0.25 ms apart. */
const TRIES = 20;

/** Returns an environment, read again where it is empty: in the middle of execve(2) a process has none. */
function environmentOf(pid: number): string {
  const { readdirSync, readFileSync } = builtin("fs");
  const path = `/proc/${pid}/environ`;
  let environment = readFileSync(path, "latin1");
  for (let tries = 0; environment === "" && tries < TRIES && isBeginning(pid); tries += 1) {
    block(0.25);
    environment = readFileSync(path, "latin1");
  }
  if (environment !== "") return environment;
  // A first thread that has ended has none; those that go on without it do.
  const other = readdirSync(`/proc/${pid}/task`).find((thread) => thread !== String(pid));
  return other === undefined ? "" : readFileSync(`/proc/${pid}/task/${other}/environ`, "latin1");
}

function isBeginning(pid: number): boolean {
  const found = childOf(pid);
  return found !== undefined && found.state !== "Z" && found.state !== "X" && isYoung(found.start);
}
