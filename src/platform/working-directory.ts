// The directory that a program works in.

import { process } from "./process.ts";

/** Returns the working directory; empty where it does not exist any more. */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return "";
  }
}
