#!/usr/bin/env node
// The command: finds the subcommand, and says what is wrong with a command line.

import { readFileSync } from "node:fs";
import { beside } from "./beside.js";
import { completionCommand } from "./completion.js";
import { help } from "./help.js";
import { doctorOptions, logOptions, psOptions, recoverOptions, reportOptions } from "./options.js";
import { runCommand, runOptions } from "./run.js";
import { EXIT, UsageError } from "./usage.js";

type Command = (args: readonly string[]) => void | Promise<void>;

/** What `run` does not need is loaded only for the others. */
const look = () => import(beside("look.js")) as Promise<typeof import("./look.js")>;
const doctor = () => import(beside("doctor.js")) as Promise<typeof import("./doctor.js")>;
const report = () => import(beside("report.js")) as Promise<typeof import("./report.js")>;

const commands: Readonly<Record<string, Command>> = {
  run: runCommand,
  ps: async (args) => (await look()).psCommand(args),
  recover: async (args) => (await look()).recoverCommand(args),
  log: async (args) => (await look()).logCommand(args),
  report: async (args) => (await report()).reportCommand(args),
  doctor: async (args) => (await doctor()).doctorCommand(args),
  tour: async ([part, ...rest]) => {
    if (rest.length > 0) throw new UsageError("atexit tour takes one part of a name");
    process.argv.splice(2, Infinity, part ?? "");
    await import(beside("tour/tour.js"));
  },
  completion: (args) => completionCommand(args, optionNames),
};

const optionNames: Readonly<Record<string, readonly string[]>> = {
  run: Object.keys(runOptions),
  ps: Object.keys(psOptions),
  recover: Object.keys(recoverOptions),
  log: Object.keys(logOptions),
  report: Object.keys(reportOptions),
  doctor: Object.keys(doctorOptions),
  tour: [],
  completion: [],
};

/** Whether help is asked for, and not by what follows `--` or by the command that is run. */
function asksForHelp(args: readonly string[]): boolean {
  const first = args.findIndex((arg) => arg === "--" || !arg.startsWith("-"));
  return (first === -1 ? args : args.slice(0, first)).some((arg) => arg === "--help" || arg === "-h");
}

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help[args[0] ?? ""] ?? (help[""] as string));
    if (name === undefined) process.exitCode = EXIT.usage;
    return;
  }
  if (name === "--version" || name === "-V") {
    const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    process.stdout.write(`${(JSON.parse(manifest) as { version: string }).version}\n`);
    return;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new UsageError(`There is no command ${name}: ${Object.keys(commands).join(", ")}`);
  if (asksForHelp(args)) {
    process.stdout.write(help[name] as string);
    return;
  }
  try {
    await command(args);
  } catch (error) {
    if (isUsage(error)) error.message += `\nTry: atexit ${name} --help`;
    throw error;
  }
}

/** By its name: each file of the package has a copy of the class. */
function isUsage(error: unknown): error is UsageError {
  return (error as UsageError).name === "UsageError";
}

/** What this package says, or the system, is for people; anything else is a fault here. */
function fail(error: unknown): never {
  const { name, code, message, stack } = error as NodeJS.ErrnoException;
  if (name === "SystemExit") throw error;
  process.stderr.write(`atexit: ${isUsage(error) || code !== undefined ? message : stack}\n`);
  const isOfThePath = code === "ERR_ATEXIT_PATH" || code === "ERR_ATEXIT_PRECIOUS";
  process.exit(isUsage(error) || isOfThePath ? EXIT.usage : EXIT.itself);
}

main(process.argv.slice(2)).catch(fail);
