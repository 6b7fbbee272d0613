// What is in a directory, by names as the file system has them: not every name is
// text. Bun answers with the bare names where both those and types are asked for.

import { builtin } from "./node-builtins.ts";

export interface DirectoryEntry {
  readonly name: Buffer;
  /** The directory's path, and the name. */
  readonly path: Buffer;
  /** Of a link it is false, wherever that leads. */
  readonly isDirectory: boolean;
}

type Dirent = import("node:fs").Dirent<Buffer>;

const fs = builtin("fs");
const SLASH = Buffer.from("/");

/** @throws the system's error where the directory cannot be read */
export function entriesOf(directory: Buffer): DirectoryEntry[] {
  const entries: readonly (Dirent | Buffer)[] = fs.readdirSync(directory, { withFileTypes: true, encoding: "buffer" });
  return entries.map((entry) => {
    const name = Buffer.isBuffer(entry) ? entry : entry.name;
    const path = Buffer.concat([directory, SLASH, name]);
    return { name, path, isDirectory: isDirectory(entry, path) };
  });
}

/** Asks the file itself where nothing tells its type: some file systems do not either. */
function isDirectory(entry: Dirent | Buffer, path: Buffer): boolean {
  if (!Buffer.isBuffer(entry)) {
    if (entry.isDirectory()) return true;
    if (entry.isFile() || entry.isSymbolicLink()) return false;
  }
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
