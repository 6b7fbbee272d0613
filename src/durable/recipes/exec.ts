// exec: a command, without a shell.

import { assertStillMeant, type CodeOnDisk, codeOnDisk, directoryOf, isCodeOnDisk, itself } from "./code-on-disk.ts";
import { absolutePath } from "../../platform/absolute-path.ts";
import { commandEnvironment } from "../../platform/node-options.ts";
import { checkTime } from "../../settings/milliseconds.ts";
import { durableError } from "../../errors/durable.ts";
import { hasOthers, type RegisteredEnvironment, registeredEnvironment, targetsIn } from "./registered-environment.ts";
import { begunCommand, isBegunCommand, waitForBegun } from "./begun-command.ts";
import { runCommand, TOLD_WITHIN } from "./run-command.ts";
import type { BegunCommand, RecipeKind, ReplayContext, Success } from "./recipe-kind.ts";
import { process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

/** How a command is run. */
export interface ExecOptions {
  /** Its working directory; by default the present one. */
  cwd?: string;
  /** Variables for the command, added to those of the present environment that commands go by. */
  env?: Readonly<Record<string, string>>;
  /** How long the command may take before it is ended, in milliseconds. 10,000 by default. */
  timeout?: number;
}

export interface ExecRecipe extends RegisteredEnvironment {
  readonly do: "exec";
  readonly command: string;
  readonly args: readonly string[];
  /** The program that the command's name led to; none where there was none. */
  readonly program?: CodeOnDisk;
  readonly cwd: CodeOnDisk;
  /** What was asked for: two commands with other variables are about other things. */
  readonly given: Readonly<Record<string, string>>;
  readonly timeout: number;
  /** The process in which its owner has begun it. */
  readonly begun?: BegunCommand;
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
  const directory = absolutePath(cwd);
  const registered = registeredEnvironment(env);
  const program = system.findProgram(command, directory, registered.env);
  return {
    do: "exec",
    command,
    args: [...args],
    ...(program === undefined ? {} : { program: codeOnDisk(program) }),
    cwd: codeOnDisk(directory),
    ...registered,
    given: { ...env },
    timeout: timeout as number,
  };
}

/** How long its owner's shutdown waits for a command at most, in milliseconds: its own time limit comes first. */
export function patienceFor({ timeout }: Pick<ExecRecipe, "timeout">): number {
  return timeout + TOLD_WITHIN;
}

export const execRecipe: RecipeKind<ExecRecipe> = {
  matches: ({ command, args, program, cwd, env, given, others, timeout, begun }) =>
    isStrings([command]) &&
    isStrings(args) &&
    (program === undefined || isCodeOnDisk(program)) &&
    isCodeOnDisk(cwd) &&
    isEnvironment(env) &&
    isEnvironment(given) &&
    (others === undefined || typeof others === "string") &&
    Number.isFinite(timeout) &&
    (begun === undefined || isBegunCommand(begun)),

  title: ({ command, args }) => `exec ${[command, ...args].join(" ")}`,

  // A program that was installed anew, and a directory that was made anew, are still the ones that are meant.
  names: ({ command, args, program, cwd, env, given }, { view }) => {
    const about = [args, given, targetsIn(env)];
    const [byInode, where] = [program?.is?.slice(0, 2) ?? command, cwd.is?.slice(0, 2) ?? cwd.path];
    return [
      `command ${JSON.stringify([byInode, where, about])}`,
      `command at ${JSON.stringify([view, program?.path ?? command, cwd.path, about])}`,
    ];
  },

  directories: ({ program, cwd }) => [...(program ? directoryOf(program) : []), ...itself(cwd)],

  async carryOut(recipe, context): Promise<Success> {
    const { command, args, program, cwd, env, timeout } = recipe;
    const { isOwner, sameBoot, samePids, sameView, sameDevices } = context;
    const title = `exec ${command}`;
    if (isOwner) {
      await runAsOwner(recipe, title, context);
      return "done";
    }
    // Its owner's command may live on: a second one beside it would do its work at the same time.
    const begun = sameBoot && samePids ? recipe.begun : undefined;
    if (begun !== undefined && (await waitForBegun(begun, timeout, title))) return "done";
    // Paths mean something else here: so would the command.
    if (!sameView) return "elsewhere";
    if (program === undefined) {
      throw durableError("ERR_ATEXIT_REPLACED", title, "there was no such program at registration");
    }
    if (program !== undefined) assertStillMeant(program, title, sameDevices);
    assertStillMeant(cwd, title, sameDevices);
    await runCommand(program?.path ?? command, args, {
      cwd: cwd.path,
      env: hasOthers(recipe, context) ? { ...commandEnvironment(), ...env } : env,
      timeout,
      title,
      name: command,
    });
    return "done";
  },
};

function runAsOwner(recipe: ExecRecipe, title: string, { ownCommand }: ReplayContext): Promise<void> {
  const { command, args, cwd, env, timeout } = recipe;
  let begun: BegunCommand | undefined;
  return runCommand(command, args, {
    cwd: cwd.path,
    env: { ...commandEnvironment(), ...env },
    timeout,
    title,
    inheritsOutput: ownCommand?.inheritsOutput === true,
    mayOutlive: true,
    started: (pid) => {
      begun = begunCommand(pid);
      if (begun !== undefined) ownCommand?.writeDown(begun);
    },
    overdue: () => {
      if (begun !== undefined) ownCommand?.writeDown({ ...begun, isOverdue: true });
    },
  });
}

export function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === "string" && !part.includes("\0"));
}

export function isEnvironment(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isStrings(Object.values(value));
}
