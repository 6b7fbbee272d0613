// The command line that runs a file of JavaScript in another process. This
// process's own executable does so only where it is known to be Node, Bun or Deno:
// a single executable is the program itself, and would start it once more.

import { builtin } from "./node-builtins.ts";
import { whyReplaceable } from "./trusted-path.ts";
import { environment, process } from "./process.ts";
import { system } from "./this-system.ts";

interface Globals {
  readonly Bun?: { readonly main?: unknown; readonly embeddedFiles?: readonly unknown[] };
  readonly Deno?: { readonly build?: { readonly standalone?: boolean } };
}

let found: readonly string[] | undefined;

/** Returns the executable and its arguments before the file; nothing where there is none that can be trusted. */
export function runtime(): readonly string[] {
  found ??= isSingleExecutable() ? nodeInPath() : own();
  return found;
}

function own(): readonly string[] {
  // Deno asks for each permission, and would ask nobody.
  return process.versions["deno"] === undefined ? [process.execPath] : [process.execPath, "run", "-A"];
}

/** Reports whether this executable has its program in it: made by Node, pkg, nexe, Bun or Deno. */
export function isSingleExecutable(): boolean {
  const { Bun, Deno } = globalThis as Globals;
  if (Deno?.build?.standalone === true) return true;
  if (Bun !== undefined) return /^(?:\/\$bunfs\/|[A-Z]:[\\/]~BUN)/.test(String(Bun.main));
  if ("pkg" in process || "__nexe" in process) return true;
  return isNodeSea();
}

function isNodeSea(): boolean {
  const sea = process.getBuiltinModule("node:sea") as { isSea(): boolean } | undefined;
  return sea?.isSea() === true;
}

/** Returns the Node that the program's PATH leads to, unless another user can put something else there. */
function nodeInPath(): readonly string[] {
  const { delimiter, isAbsolute, join } = builtin("path");
  for (const directory of (environment()["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, system.nodeName);
    if (isAbsolute(directory) && isTrustedProgram(path)) return [path];
  }
  return [];
}

function isTrustedProgram(path: string): boolean {
  try {
    const { accessSync, constants, statSync } = builtin("fs");
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() && whyReplaceable(path) === undefined;
  } catch {
    return false;
  }
}
