// The helper: the program that carries journals out and calls functions, in a
// process of its own. Where this package's file of it is gone, or was never there,
// its text is written beside the journals.

import { builtin } from "../../platform/node-builtins.ts";
import { contentOf } from "../../platform/process-identity.ts";
import { HELPER } from "../../platform/node-options.ts";
import { packagePath } from "../../platform/package-files.ts";
import { isSingleExecutable, runtime } from "../../platform/runtime.ts";
import { whyReplaceable } from "../../platform/trusted-path.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { VERSION } from "../journal/format.ts";
import { programText } from "./program-text.ts";
import { environment, process } from "../../platform/process.ts";

/** How a helper is started: the executable, its arguments, then the program. */
export interface Helper {
  readonly runtime: readonly string[];
  readonly program: string;
}

const fs = builtin("fs");

/** Whether this process is itself a helper, or was started by one: it starts no guard, and no other helper. */
export const isHelper = environment()[HELPER] !== undefined;

/** Returns how a helper is started; `undefined` where there is nothing to run it in. */
export function helperIn(directory: JournalDirectory): Helper | undefined {
  const command = runtime();
  if (command.length === 0) return undefined;
  const own = ownProgram();
  if (own !== undefined) return { runtime: command, program: own };
  const program = directory.file(`helper-${VERSION}.mjs`);
  return isWritten(program) ? { runtime: command, program } : undefined;
}

/** Files in an archive: the program that has it open can read them, and no other process. */
const IN_ARCHIVE = /\.(?:zip|asar)[\\/]/;

/**
 * Returns this package's file of the program, where another process can read it.
 * Bundlers may have written down where the package was on another machine: what
 * others can put there is not run.
 */
function ownProgram(): string | undefined {
  const path = packagePath("replay");
  if (path === undefined || IN_ARCHIVE.test(path) || isSingleExecutable()) return undefined;
  try {
    return fs.existsSync(path) && whyReplaceable(path) === undefined ? path : undefined;
  } catch {
    return undefined; // it has been removed this very moment
  }
}

/** Writes the program, unless it is there. Reports whether it is: the disk may be full. */
function isWritten(path: string): boolean {
  const text = programText();
  // A helper that was itself started from such a file has no text.
  if (text === "") return fs.existsSync(path);
  try {
    if (contentOf(path) === text.trim()) return true;
    const unfinished = `${path}.${process.pid}.tmp`;
    fs.writeFileSync(unfinished, text, { mode: 0o600 });
    fs.renameSync(unfinished, path);
    return true;
  } catch {
    return false;
  }
}
