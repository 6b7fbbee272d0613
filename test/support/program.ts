// Runs a program given as its source, which can import "atexit".

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeProgramDirectory } from "./package-under-test.ts";
import { type Ended, run, type RunOptions } from "./run.ts";

export interface ProgramOptions extends RunOptions {
  /** Options of Node itself. */
  nodeOptions?: readonly string[];
  /** The file's name, whose ending says what kind of module it is. */
  file?: string;
}

/** Writes the source into a file of its own, runs it, and removes it. */
export function runProgram(source: string, options: ProgramOptions = {}): Promise<Ended & { file: string }> {
  const { nodeOptions = [], file = "program.mjs", ...running } = options;
  return withProgram(source, file, async (path) => ({
    ...(await run(process.execPath, [...nodeOptions, path], running)),
    file: path,
  }));
}

/** Writes the source into a file of its own, which is there as long as the body takes. */
export async function withProgram<T>(source: string, name: string, body: (path: string) => Promise<T>): Promise<T> {
  const directory = makeProgramDirectory();
  const path = join(directory, name);
  try {
    writeFileSync(path, source);
    return await body(path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs a module's source, with these variables in its environment and these options of Node. */
export function evaluate(
  source: string,
  variables: Record<string, string> = {},
  ...nodeOptions: string[]
): Promise<Ended> {
  return runProgram(source, { nodeOptions, env: { ...process.env, ...variables } });
}
