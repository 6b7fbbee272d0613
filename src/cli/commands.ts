// All that is asked of the command but to run a program.

import { builtin } from "../builtin.js";
import { completionCommand } from "./completion.js";
import { help } from "./help.js";
import { doctorOptions, logOptions, psOptions, recoverOptions, reportOptions, runOptions } from "./options.js";
import { asksForHelp, EXIT, UsageError, withHint } from "./usage.js";

/** Imports a file of the package, by its name. */
type Load = (file: string) => Promise<unknown>;

type Command = (args: readonly string[], load: Load) => void | Promise<void>;

const look = (load: Load) => load("look.js") as Promise<typeof import("./look.js")>;
const doctor = (load: Load) => load("doctor.js") as Promise<typeof import("./doctor.js")>;
const report = (load: Load) => load("report.js") as Promise<typeof import("./report.js")>;

const commands: Readonly<Record<string, Command>> = {
  ps: async (args, load) => (await look(load)).psCommand(args),
  recover: async (args, load) => (await look(load)).recoverCommand(args),
  log: async (args, load) => (await look(load)).logCommand(args),
  report: async (args, load) => (await report(load)).reportCommand(args),
  doctor: async (args, load) => (await doctor(load)).doctorCommand(args),
  tour: async ([part, ...rest], load) => {
    if (rest.length > 0) throw new UsageError("atexit tour takes one part of a name");
    process.argv.splice(2, Infinity, part ?? "");
    await load("tour/tour.js");
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

export default async function otherCommand(
  name: string | undefined,
  args: readonly string[],
  load: Load,
): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help[args[0] ?? ""] ?? (help[""] as string));
    if (name === undefined) process.exitCode = EXIT.usage;
    return;
  }
  if (name === "--version" || name === "-V") {
    const manifest = builtin("fs").readFileSync(new URL("../package.json", import.meta.url), "utf8");
    process.stdout.write(`${(JSON.parse(manifest) as { version: string }).version}\n`);
    return;
  }
  if (!Object.hasOwn(optionNames, name)) {
    throw new UsageError(`There is no command ${name}: ${Object.keys(optionNames).join(", ")}`);
  }
  if (asksForHelp(args)) process.stdout.write(help[name] as string);
  else await withHint(name, async () => commands[name]?.(args, load));
}
