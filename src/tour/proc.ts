// What the system says of other processes.

import { readFileSync } from "node:fs";

/** A file under /proc; nothing where its process has ended. */
export function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
