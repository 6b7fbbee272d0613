// The helper: the program that carries journals out and calls functions, in a
// process of its own. Where this package's file of it is gone, or was never there,
// its text is written beside the journals.

import { builtin } from "../../platform/node-builtins.ts";
import { HELPER } from "../../platform/node-options.ts";
import { packagePath } from "../../platform/package-files.ts";
import { runtime } from "../../platform/runtime.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { VERSION } from "../journal/format.ts";

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
  // It is there since an earlier start, or a moment after this: nobody needs it sooner.
  void writeProgram(program);
  return { runtime: command, program };
}

let isWritten = false;

async function writeProgram(path: string): Promise<void> {
  if (isWritten) return;
  isWritten = true;
  try {
    const { PROGRAM_TEXT } = await import("./program-text.ts");
    if (PROGRAM_TEXT === "" || contentOf(path) === PROGRAM_TEXT) return;
    const unfinished = `${path}.${process.pid}.tmp`;
    fs.writeFileSync(unfinished, PROGRAM_TEXT, { mode: 0o600 });
    fs.renameSync(unfinished, path);
  } catch {
    // The disk is full, or the text is gone as well: a later start writes it, and recovers.
  }
}

function contentOf(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
