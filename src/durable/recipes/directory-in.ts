// Looks for certain directories in a tree, whatever their paths are there.

import { entriesOf } from "../../platform/directory-entries.ts";
import { inodeOf } from "../../platform/file-identity.ts";
import { builtin } from "../../platform/node-builtins.ts";

const fs = builtin("fs");

/**
 * Returns what is said of the first of these directories that is found: the tree's
 * own, or one in it. Where a part of it cannot be looked at, that is returned.
 *
 * @param said by `device:inode`
 */
export function directoryIn(path: string, said: ReadonlyMap<string, string>): string | undefined {
  if (said.size === 0) return undefined;
  try {
    return search(Buffer.from(path), said);
  } catch (error) {
    return `whether others who are alive have something in it cannot be known: ${(error as Error).message}`;
  }
}

function search(root: Buffer, said: ReadonlyMap<string, string>): string | undefined {
  const left = [root];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const found = said.get(inodeOf(fs.lstatSync(path)));
    if (found !== undefined) return found;
    for (const entry of entriesOf(path)) if (entry.isDirectory) left.push(entry.path);
  }
  return undefined;
}
