// Starts a recovery in a process of its own: one that takes long, or much memory,
// neither blocks nor ends the program that waits for it.

import { builtin } from "../../platform/node-builtins.ts";
import { cleanEnvironment } from "../../platform/node-options.ts";
import { packagePath } from "../../platform/package-files.ts";

/** Starts a process that carries out the journals of dead owners, and does not wait for it. */
export function startRecovery(directory: string): void {
  try {
    builtin("child_process")
      .spawn(process.execPath, [packagePath("replay"), "--recover", directory], {
        cwd: builtin("path").parse(directory).root, // keeps no directory in use
        env: cleanEnvironment(),
        stdio: "ignore",
        // A Ctrl-C is meant for this program, and not for what it cleans up.
        detached: true,
        windowsHide: true,
      })
      .once("error", () => {})
      .unref();
  } catch {
    // Node's permission model forbids it. The guard of whoever has died may do it.
  }
}
