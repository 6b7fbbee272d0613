// Starts the program that carries journals out, in a process of its own: what a
// dead process has left never runs in an innocent program's heap or event loop.

import { builtin } from "../../platform/node-builtins.ts";
import { cleanEnvironment } from "../../platform/node-options.ts";
import { packagePath } from "../../platform/package-files.ts";
import type { JournalDirectory } from "../journal/directory.ts";

/** Recovers in the background. */
export function startRecovery(directory: JournalDirectory): void {
  start(["--recover", directory.path]);
}

/** Carries one journal out in the background. Returns the pid of the process; `undefined` where none could be started. */
export function startReplay(directory: JournalDirectory, file: string): number | undefined {
  return start([directory.file(file)]);
}

function start(args: readonly string[]): number | undefined {
  try {
    const child = builtin("child_process").spawn(process.execPath, [packagePath("replay"), ...args], {
      cwd: builtin("path").parse(process.execPath).root, // keeps no directory in use
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
