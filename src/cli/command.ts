// The command: runs the subcommand, and says what is wrong with a command line.
// `atexit run` is what programs wait for; all others are loaded when they are
// asked for.

import { packageFile } from "../platform/package-files.ts";
import { runCommand } from "./run.ts";
import { asksForHelp, EXIT, isUsageError, withHint } from "./arguments.ts";

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === "run" && !asksForHelp(args)) return withHint(name, () => runCommand(args));
  const { otherCommand } = (await import(packageFile("commands").href)) as typeof import("./commands.ts");
  return otherCommand(name, args);
}

/** What this package says, or the system, is for people; anything else is a fault here. */
function fail(error: unknown): never {
  const { name, code, message, stack } = error as NodeJS.ErrnoException;
  if (name === "SystemExit") throw error;
  process.stderr.write(`atexit: ${isUsageError(error) || code !== undefined ? message : stack}\n`);
  const isAboutPath = code === "ERR_ATEXIT_PATH" || code === "ERR_ATEXIT_PROTECTED_PATH";
  process.exit(isUsageError(error) || isAboutPath ? EXIT.usage : EXIT.itself);
}

main(process.argv.slice(2)).catch(fail);
