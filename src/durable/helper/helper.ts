// The helper: the program that carries journals out and calls functions, in a
// process of its own. Where this package's file of it is gone, or was never there,
// its text is written beside the journals.

import { builtin } from "../../platform/node-builtins.ts";
import { contentOf } from "../../platform/process-identity.ts";
import { HELPER } from "../../platform/node-options.ts";
import { packagePath } from "../../platform/package-files.ts";
import { runtime } from "../../platform/runtime.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { VERSION } from "../journal/format.ts";
import { programText } from "./program-text.ts";

/** How a helper is started: the executable, its arguments, then the program. */
export interface Helper {
  readonly runtime: readonly string[];
  readonly program: string;
}

const fs = builtin("fs");

/** Whether this process is itself a helper, or was started by one: it starts no guard, and no other helper. */
export const isHelper = process.env[HELPER] !== undefined;

/** Returns how a helper is started; `undefined` where there is nothing to run it in. */
export function helperIn(directory: JournalDirectory): Helper | undefined {
  const command = runtime();
  if (command.length === 0) return undefined;
  const own = packagePath("replay");
  if (own !== undefined && fs.existsSync(own)) return { runtime: command, program: own };
  const program = directory.file(`helper-${VERSION}.mjs`);
  return isWritten(program) ? { runtime: command, program } : undefined;
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
