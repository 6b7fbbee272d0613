// All subcommands but `atexit run`.

import { builtin } from "../platform/node-builtins.ts";
import { manifestFile, packageFile } from "../platform/package-files.ts";
import { completionCommand } from "./completion.ts";
import { help } from "./help.ts";
import {
  deadLettersOptions,
  doctorOptions,
  keeperOptions,
  logOptions,
  migrateOptions,
  psOptions,
  recoverFromOptions,
  recoverOptions,
  reportOptions,
  runOptions,
} from "./options.ts";
import { asksForHelp, EXIT, UsageError, withHint } from "./arguments.ts";

type Command = (args: readonly string[]) => void | Promise<void>;

const inspect = () => import(packageFile("inspect").href) as Promise<typeof import("./inspect.ts")>;
const doctor = () => import(packageFile("doctor").href) as Promise<typeof import("./doctor.ts")>;
const leases = () => import(packageFile("lease command").href) as Promise<typeof import("./lease.ts")>;
const keeping = () => import(packageFile("keeper command").href) as Promise<typeof import("./keeper.ts")>;
const report = () => import(packageFile("report").href) as Promise<typeof import("./report.ts")>;

const commands: Readonly<Record<string, Command>> = {
  ps: async (args) => {
    if (args.some((arg) => arg.startsWith("--from"))) return (await leases()).leasesCommand(args);
    return (await inspect()).psCommand(args);
  },
  migrate: async (args) => (await leases()).migrateCommand(args),
  keeper: async (args) => (await keeping()).keeperCommand(args),
  "dead-letters": async (args) => (await keeping()).deadLettersCommand(args),
  recover: async (args) => {
    if (args.some((arg) => arg.startsWith("--from"))) return (await keeping()).recoverFromCommand(args);
    return (await inspect()).recoverCommand(args);
  },
  log: async (args) => (await inspect()).logCommand(args),
  report: async (args) => (await report()).reportCommand(args),
  doctor: async (args) => (await doctor()).doctorCommand(args),
  tour: async ([part, ...rest]) => {
    if (rest.length > 0) throw new UsageError("atexit tour takes one part of a name");
    const { runTour } = (await import(packageFile("tour").href)) as typeof import("../tour/tour.ts");
    if (!(await runTour(part))) process.exitCode = EXIT.failed;
  },
  completion: (args) => completionCommand(args, optionNames),
};

const optionNames: Readonly<Record<string, readonly string[]>> = {
  run: Object.keys(runOptions),
  ps: Object.keys(psOptions),
  migrate: Object.keys(migrateOptions),
  keeper: Object.keys(keeperOptions),
  "dead-letters": Object.keys(deadLettersOptions),
  recover: [...new Set([...Object.keys(recoverOptions), ...Object.keys(recoverFromOptions)])],
  log: Object.keys(logOptions),
  report: Object.keys(reportOptions),
  doctor: Object.keys(doctorOptions),
  tour: [],
  completion: [],
};

export async function otherCommand(name: string | undefined, args: readonly string[]): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help[args[0] ?? ""] ?? (help[""] as string));
    if (name === undefined) process.exitCode = EXIT.usage;
    return;
  }
  if (name === "--version" || name === "-V") {
    const manifest = builtin("fs").readFileSync(manifestFile(), "utf8");
    process.stdout.write(`${(JSON.parse(manifest) as { version: string }).version}\n`);
    return;
  }
  if (!Object.hasOwn(optionNames, name)) {
    throw new UsageError(`There is no command ${name}: ${Object.keys(optionNames).join(", ")}`);
  }
  if (asksForHelp(args)) process.stdout.write(help[name] as string);
  else await withHint(name, async () => commands[name]?.(args));
}
