// The helper: the program that carries journals out and calls functions, in a
// process of its own. Its text is kept beside the journals, for where this package's
// file of it is gone, has become another version's, or was never there.

import { builtin } from "../../platform/node-builtins.ts";
import { HELPER } from "../../platform/node-options.ts";
import { packagePath, thisFile } from "../../platform/package-files.ts";
import { thisProcess } from "../../platform/process-identity.ts";
import { isSingleExecutable, runtime } from "../../platform/runtime.ts";
import { whyReplaceable } from "../../platform/trusted-path.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { VERSION } from "../journal/format.ts";
import { PROGRAM_DIGEST, PROGRAM_SIZE, programText } from "./program-text.ts";
import { environment, process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

/** How a helper is started: the executable, its arguments, then the program. */
export interface Helper {
  readonly runtime: readonly string[];
  readonly program: string;
}

const fs = builtin("fs");

/** What a helper is given in the variable that marks it, before it has made the mark its own. */
const MARK = "1";

/** Whether this process is itself a helper: it starts no guard, and no other helper. What it starts is none. */
export const isHelper = claimedMark();

/** Reports whether the mark is for this process, and makes it this one's alone: it is inherited. */
function claimedMark(): boolean {
  const mark = environment()[HELPER];
  if (mark === MARK) environment()[HELPER] = String(process.pid);
  return mark === MARK || mark === String(process.pid);
}

/** Returns how a helper is started; `undefined` where there is nothing to run it in. */
export function helperIn(directory: JournalDirectory): Helper | undefined {
  const copy = copyIn(directory);
  return helperOf(copy !== undefined && isKept(copy) ? copy : programWithout(directory, copy));
}

/**
 * Returns how a guard starts a helper when its owner has died, and where it finds a
 * copy of the program, which it takes first: the package may have been upgraded by
 * then. The directory may have been removed, too.
 */
export function helperOfGuard(directory: JournalDirectory): (Helper & { readonly copy: string }) | undefined {
  const copy = copyIn(directory);
  const helper = helperOf(programWithout(directory, copy));
  return helper && { ...helper, copy: copy ?? "" };
}

function helperOf(program: string | undefined): Helper | undefined {
  const command = runtime();
  return program === undefined || command.length === 0 ? undefined : { runtime: command, program };
}

/** Returns this package's file of the program, or writes a copy where there is none. */
function programWithout(directory: JournalDirectory, copy: string | undefined): string | undefined {
  const own = ownProgram();
  if (own !== undefined) return own;
  if (copy === undefined) return thisCopyIn(directory);
  return isKept(copy) || isWritten(copy) ? copy : undefined;
}

/** Returns the file of this very program, where it was started from a copy. */
function thisCopyIn(directory: JournalDirectory): string | undefined {
  const { dirname } = builtin("path");
  const file = thisFile();
  return file !== undefined && dirname(file) === fs.realpathSync(directory.path) ? file : undefined;
}

/** Returns where the text of the program is kept; `undefined` in the program itself, and in the sources. */
function copyIn(directory: JournalDirectory): string | undefined {
  // Node runs no module with a backslash in its path.
  const isRun = system.runsBackslashes || !directory.path.includes("\\");
  return PROGRAM_DIGEST === "" || !isRun ? undefined : directory.file(`helper-${VERSION}-${PROGRAM_DIGEST}.cjs`);
}

/** Keeps the text of the program beside the journals. Where that cannot be done, this package's file stays the only one. */
export function keepCopy(directory: JournalDirectory): void {
  const copy = copyIn(directory);
  if (copy !== undefined && !isKept(copy) && isWritten(copy)) removeOthers(directory, copy);
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

/** Returns this package's file of the program where this process reads it out of the archive that it came from itself. */
function programInArchive(): string | undefined {
  const path = packagePath("replay");
  return path !== undefined && IN_ARCHIVE.test(path) ? path : undefined;
}

/** Reports whether a copy is there, as far as one look tells: it gets its name when it is whole. */
function isKept(path: string): boolean {
  try {
    const stats = fs.lstatSync(path);
    return stats.isFile() && stats.size === PROGRAM_SIZE;
  } catch {
    return false;
  }
}

/** Writes the program. Reports whether it is there: the disk may be full. */
function isWritten(path: string): boolean {
  const { pid, start } = thisProcess(); // the guard removes what the process's end has cut off; threads write, too
  const unfinished = `${path}.${pid}-${start}-${Math.random().toString(36).slice(2)}.tmp`;
  try {
    const text = programText() || fs.readFileSync(ownProgram() ?? programInArchive() ?? "", "utf8");
    if (Buffer.byteLength(text) !== PROGRAM_SIZE) return false; // another build has taken its place
    fs.writeFileSync(unfinished, text, { mode: 0o600 });
    fs.renameSync(unfinished, path);
    return true;
  } catch {
    removeQuietly(unfinished);
    return isKept(path); // another process was first
  }
}

/** How long copies of other builds are kept, in milliseconds: thirty days. */
const KEPT_FOR = 30 * 24 * 60 * 60 * 1_000;

/** Removes old copies of other builds, and what others have begun of this one: they find it whole. */
function removeOthers(directory: JournalDirectory, copy: string): void {
  const isBegun = (path: string) => path.startsWith(`${copy}.`);
  try {
    const { mtimeMs: now } = fs.statSync(copy);
    for (const path of copiesIn(directory)) {
      if (path === copy) continue;
      if (isBegun(path) || now - fs.lstatSync(path).mtimeMs > KEPT_FOR) removeQuietly(path);
    }
  } catch {
    // Another process removes them, too.
  }
}

/** Removes all copies: nobody is there who would need one. */
export function removeCopies(directory: JournalDirectory): void {
  for (const path of copiesIn(directory)) removeQuietly(path);
}

/** Lists the copies of all builds, complete or not. */
function copiesIn(directory: JournalDirectory): string[] {
  return fs
    .readdirSync(directory.path)
    .filter((name) => /^helper-.*\.(?:cjs|tmp)$/.test(name))
    .map((name) => directory.file(name));
}

function removeQuietly(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // It is not there.
  }
}
