// What the environment of another process says of it: whose descendant it is, and
// whether it is a helper of this package.

import { system } from "./this-system.ts";

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
  const [, option, , name] = system.commandOf(pid);
  return option === "-c" && name === GUARD;
}

function variableOf(pid: number, name: string, ofEnded?: string): string | undefined {
  try {
    const environment = system.environmentOf(pid);
    if (environment === undefined) return undefined;
    if (environment === "") return ofEnded;
    const entries = environment.split("\0");
    return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch (error) {
    // Depending on the kernel an ended process has no environment, or an empty one. Another user's cannot be read.
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? ofEnded : undefined;
  }
}
