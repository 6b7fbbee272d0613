// exec: a command, without a shell.

import { checkTime } from "../../settings/milliseconds.ts";
import { durableError } from "../../errors/durable.ts";
import { runCommand } from "./run-command.ts";
import type { RecipeKind, Success } from "./recipe-kind.ts";

/** How a command is run. */
export interface ExecOptions {
  /** Its working directory; by default the present one. */
  cwd?: string;
  /** Variables for the command, added to the present environment. */
  env?: Readonly<Record<string, string>>;
  /** How long the command may take before it is ended, in milliseconds. 10,000 by default. */
  timeout?: number;
}

export interface ExecRecipe {
  readonly do: "exec";
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeout: number;
}

/** How long a command or a called function may take by default, in milliseconds. */
export const DEFAULT_TIMEOUT = 10_000;

export function describeExec(command: unknown, args: unknown, options: unknown): ExecRecipe {
  if (typeof command !== "string" || command === "" || command.includes("\0")) {
    throw durableError("ERR_ATEXIT_COMMAND", "The command", command, "a program's name or path");
  }
  if (!isStrings(args)) throw durableError("ERR_ATEXIT_COMMAND", "The arguments", args, "an array of strings");
  if (typeof options !== "object" || options === null) {
    throw durableError("ERR_ATEXIT_COMMAND", "The options", options, "an object such as { timeout: 5_000 }");
  }
  const { cwd = process.cwd(), env = {}, timeout = DEFAULT_TIMEOUT } = options as Record<string, unknown>;
  if (typeof cwd !== "string" || cwd.includes("\0")) throw durableError("ERR_ATEXIT_COMMAND", "cwd", cwd, "a path");
  if (!isEnvironment(env)) throw durableError("ERR_ATEXIT_COMMAND", "env", env, "an object of strings");
  for (const name of Object.keys(env)) {
    if (name !== "" && !/[=\0]/.test(name)) continue;
    throw durableError("ERR_ATEXIT_COMMAND", "A variable's name", name, "a word without = or NUL");
  }
  checkTime("timeout", timeout);
  const absolute = process.getBuiltinModule("path").resolve(cwd);
  return { do: "exec", command, args: [...args], cwd: absolute, env: { ...env }, timeout: timeout as number };
}

export const execRecipe: RecipeKind<ExecRecipe> = {
  matches: ({ command, args, cwd, env, timeout }) =>
    isStrings([command]) &&
    isStrings(args) &&
    typeof cwd === "string" &&
    isEnvironment(env) &&
    Number.isFinite(timeout),

  title: ({ command, args }) => `exec ${[command, ...args].join(" ")}`,

  async carryOut({ command, args, cwd, env, timeout }): Promise<Success> {
    const environment = { ...process.env, ...env };
    await runCommand(command, args, { cwd, env: environment, timeout, title: `exec ${command}` });
    return "done";
  },
};

export function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === "string" && !part.includes("\0"));
}

function isEnvironment(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isStrings(Object.values(value));
}
