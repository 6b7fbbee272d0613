// The command: runs the subcommand, and reports a wrong command line. Programs
// wait for `atexit run`; all others are loaded when they are asked for.

import { packageFile } from "../platform/package-files.ts";
import { printableLines } from "../platform/printable.ts";
import { runCommand } from "./run.ts";
import { asksForHelp, EXIT, isUsageError, withHint } from "./arguments.ts";

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === "run" && !asksForHelp(args)) return withHint(name, () => runCommand(args));
  const { otherCommand } = (await import(packageFile("commands").href)) as typeof import("./commands.ts");
  return otherCommand(name, args);
}

/** Prints an error and ends. Messages of this package and the system are for people; other errors are faults here. */
function fail(error: unknown): never {
  const { name, code, message, stack } = error as NodeJS.ErrnoException;
  if (name === "SystemExit") throw error;
  const text = isUsageError(error) || code !== undefined ? message : (stack ?? String(error));
  process.stderr.write(`atexit: ${printableLines(text)}\n`);
  const isAboutPath = code === "ERR_ATEXIT_PATH" || code === "ERR_ATEXIT_PROTECTED_PATH";
  process.exit(isUsageError(error) || isAboutPath ? EXIT.usage : EXIT.itself);
}

main(process.argv.slice(2)).catch(fail);
