// Starts the program that carries journals out, in a process of its own: what a
// dead process has left never runs in an innocent program's heap or event loop.

import { builtin } from "../../platform/node-builtins.ts";
import { cleanEnvironment } from "../../platform/node-options.ts";
import { helperIn, isHelper } from "../helper/helper.ts";
import type { JournalDirectory } from "../journal/directory.ts";

/** Recovers in the background. Reports whether a process for it could be started. */
export function startRecovery(directory: JournalDirectory): boolean {
  return start(directory, ["--recover", directory.path]) !== undefined;
}

/** Carries one journal out in the background. Returns the pid of the process; `undefined` where none could be started. */
export function startReplay(directory: JournalDirectory, file: string): number | undefined {
  return start(directory, [directory.file(file)]);
}

function start(directory: JournalDirectory, args: readonly string[]): number | undefined {
  const helper = isHelper ? undefined : helperIn(directory);
  if (helper === undefined) return undefined;
  const [file = "", ...before] = helper.runtime;
  try {
    const child = builtin("child_process").spawn(file, [...before, helper.program, ...args], {
      cwd: builtin("path").parse(directory.path).root, // keeps no directory in use
      env: cleanEnvironment(),
      stdio: "ignore",
      // A Ctrl-C is meant for this program, and not for what it cleans up.
      detached: true,
      windowsHide: true,
    });
    child.once("error", () => {}); // no processes are left; a later start recovers
    child.unref();
    return child.pid;
  } catch {
    return undefined; // Node's permission model forbids it
  }
}
