// What small files and links hold, as the system's own pseudo files are read.

import { builtin } from "./node-builtins.ts";

const fs = builtin("fs");

/** Returns the text of a small file, trimmed; `undefined` where it cannot be read, or is empty. */
export function contentOf(path: string): string | undefined {
  try {
    const content = fs.readFileSync(path, "utf8").trim();
    return content === "" ? undefined : content;
  } catch {
    return undefined;
  }
}

/** Returns what a link leads to; empty where it cannot be read. */
export function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}
