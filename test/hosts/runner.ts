// Runs a test runner on files that register cleanups, and tells which of them ran.

import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Ended, linesOf, run, type RunOptions } from "../support/run.ts";
import { hosts, makeProject } from "./hosts.ts";

const project = makeProject();

/** Where its programs find packages. */
export const modules = join(project, "node_modules");

/** The path of a host's file. */
export const bin = (path: string): string => join(hosts, "node_modules", path);

export interface RunnerEnded extends Ended {
  /** What the cleanups wrote down. */
  readonly left: readonly string[];
}

export interface RunnerOptions extends RunOptions {
  /** What runs the runner; this Node by default. */
  command?: string;
}

/** Runs a command in a directory with these files; the files add lines to `notes`. */
export async function runner(
  args: readonly string[],
  files: Readonly<Record<string, string>>,
  { command = process.execPath, env, ...options }: RunnerOptions = {},
): Promise<RunnerEnded> {
  const directory = mkdtempSync(join(project, "runner-"));
  const notes = join(directory, "notes");
  writeFileSync(join(directory, "package.json"), '{ "private": true, "type": "module" }');
  for (const [name, source] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), source.replace("NOTES", JSON.stringify(notes)));
  }
  const own = { NODE_TEST_CONTEXT: undefined, NO_COLOR: "1", ATEXIT_DIR: join(directory, "journals") };
  const ended = await run(command, args, { cwd: directory, env: { ...process.env, ...own, ...env }, ...options });
  return { ...ended, left: linesOf(notes) };
}

/** What registers for a test file of that name. */
export const begin = (name: string): string => `
  import { appendFileSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  import { exit, register, run } from "atexit";
  const note = (number) => appendFileSync(NOTES, "${name} " + number + "\\n");
  const registerSome = () => {
    register(note, 1);
    register(async () => { await sleep(20); note(2); });
    register(note, 3);
  };`;

/** What a test of exit() does in any runner. */
export const STUBBED_EXIT = `
  const codes = [];
  const { exit: real } = process;
  process.exit = (code) => codes.push(code);
  exit(3);
  process.exit = real;
  if (codes.join() !== "3") throw new Error(codes.join());`;

export const ALL = [3, 2, 1];

/** The lines that the cleanups of a file leave. */
export const linesFrom = (name: string): string[] => ALL.map((number) => `${name} ${number}`);
