// Windows: what PowerShell, which is a part of the system, is asked where Node tells
// nothing. It takes most of a second to start. Not run on a real Windows so far.

import { builtin } from "./node-builtins.ts";
import { environment } from "./process.ts";

/** How long it may take, in milliseconds: its first start on a busy machine takes seconds. */
const TAKES = 20_000;

function powerShell(): string {
  const root = environment()["SystemRoot"] ?? "C:\\Windows";
  return builtin("path").join(root, "System32", "WindowsPowerShell", "v1.0", "powershell.exe");
}

let isThere: boolean | undefined;

/** Reports whether it can be asked: the smallest Windows containers have none. */
export function hasPowerShell(): boolean {
  isThere ??= builtin("fs").existsSync(powerShell());
  return isThere;
}

const argumentsFor = (script: string) => ["-NoProfile", "-NonInteractive", "-Command", script];

/**
 * Returns the environment for it: of a program that PowerShell 7 has started it would
 * look for its modules among those of that one, and could load none.
 * Source: Microsoft's about_PSModulePath.
 */
function ownEnvironment(added: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment()).filter(([name]) => name.toUpperCase() !== "PSMODULEPATH");
  return { ...Object.fromEntries(kept), ...added };
}

/** Returns what a script writes; empty where it cannot be run. Blocks. @param added variables for it */
export function ask(script: string, added: NodeJS.ProcessEnv = {}): string {
  const options = { encoding: "utf8", timeout: TAKES, windowsHide: true, stdio: "pipe" } as const;
  const asked = { ...options, env: ownEnvironment(added) };
  return builtin("child_process").spawnSync(powerShell(), argumentsFor(script), asked).stdout ?? "";
}

/** Returns the same, and blocks nothing. @param isIdle whether the program may end meanwhile */
export function askLater(script: string, isIdle = false): Promise<string> {
  return new Promise((resolve) => {
    // A signal, since the timer of `timeout` would have the program wait for it.
    const options = { signal: AbortSignal.timeout(TAKES), windowsHide: true, env: ownEnvironment({}) };
    const answer = (_error: unknown, stdout: string) => resolve(stdout);
    const child = builtin("child_process").execFile(powerShell(), argumentsFor(script), options, answer);
    if (!isIdle) return;
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as { unref?(): void } | null)?.unref?.();
  });
}
