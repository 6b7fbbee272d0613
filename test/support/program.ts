// Runs a program given as its source, which can import "atexit".

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Ended, type RunOptions, run } from "./run.js";

const build = fileURLToPath(new URL("../..", import.meta.url));

export interface ProgramOptions extends RunOptions {
  /** The executable. */
  node?: string;
  /** Options of Node itself. */
  nodeOptions?: readonly string[];
  /** The file's name, whose ending says what kind of module it is. */
  file?: string;
}

/** Writes the source into a file of its own, runs it, and removes it. */
export async function runProgram(source: string, options: ProgramOptions = {}): Promise<Ended & { file: string }> {
  const { node = process.execPath, nodeOptions = [], file = "program.mjs", ...running } = options;
  mkdirSync(build, { recursive: true });
  const directory = mkdtempSync(join(build, "program-"));
  const path = join(directory, file);
  try {
    writeFileSync(path, source);
    return { ...(await run(node, [...nodeOptions, path], running)), file: path };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
