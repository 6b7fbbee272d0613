#!/usr/bin/env node
// The command: runs the subcommand, and says what is wrong with a command line.
// `atexit run` is what programs wait for; all others are loaded when they are
// asked for.

import { beside } from "./beside.js";
import otherCommand from "./commands.js" with { type: "late" };
import { runCommand } from "./run.js";
import { asksForHelp, EXIT, isUsageError, withHint } from "./usage.js";

function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === "run" && !asksForHelp(args)) return withHint(name, () => runCommand(args));
  return otherCommand(name, args, (file) => import(beside(file)));
}

/** What this package says, or the system, is for people; anything else is a fault here. */
function fail(error: unknown): never {
  const { name, code, message, stack } = error as NodeJS.ErrnoException;
  if (name === "SystemExit") throw error;
  process.stderr.write(`atexit: ${isUsageError(error) || code !== undefined ? message : stack}\n`);
  const isOfThePath = code === "ERR_ATEXIT_PATH" || code === "ERR_ATEXIT_PRECIOUS";
  process.exit(isUsageError(error) || isOfThePath ? EXIT.usage : EXIT.itself);
}

main(process.argv.slice(2)).catch(fail);
