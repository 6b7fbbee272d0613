// The directories that no cleanup removes: the root, the home directory, the
// working directory, and the directories that these are in. They are compared by
// device and inode, since a path has many spellings.

import { homeDirectory } from "../../platform/home-directory.ts";
import { inodeOf } from "../../platform/file-identity.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { workingDirectory } from "../../platform/working-directory.ts";

type Id = Pick<import("node:fs").Stats, "dev" | "ino">;

/**
 * @param isMade whether the program made the directory itself: it may be its working directory, or its home, by now
 * @throws a `RangeError` with the code `ERR_ATEXIT_PROTECTED_PATH`
 */
export function assertRemovable(path: string, id: Id, isMade = false): void {
  const { dirname } = builtin("path");
  // On Windows each drive has a root of its own.
  const what = dirname(path) === path ? "the root directory" : protectedPaths().get(inodeOf(id));
  if (what !== undefined && !(isMade && what !== "the root directory"))
    throw durableError("ERR_ATEXIT_PROTECTED_PATH", path, what);
}

let kept: { cwd: string; home: string; paths: Map<string, string> } | undefined;

/** Returns a description of each protected path, by device and inode. */
function protectedPaths(): Map<string, string> {
  const home = homeDirectory() ?? "";
  const cwd = workingDirectory();
  if (kept?.cwd !== cwd || kept.home !== home) {
    const found = new Map<string, string>();
    addWithAncestors(found, cwd, "the working directory");
    addWithAncestors(found, home, "the home directory");
    kept = { cwd, home, paths: found };
  }
  return kept.paths;
}

function addWithAncestors(found: Map<string, string>, path: string, what: string): void {
  const { dirname } = builtin("path");
  let name = what;
  for (let at = path; at !== ""; at = dirname(at)) {
    const stats = statOf(at);
    const isRoot = dirname(at) === at;
    if (stats !== undefined) found.set(inodeOf(stats), isRoot ? "the root directory" : name);
    if (isRoot) return;
    name = `a directory that holds ${what}`;
  }
}

function statOf(path: string): Id | undefined {
  try {
    return builtin("fs").statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // this user may not look there
  }
}
