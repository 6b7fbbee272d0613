// call: an exported function of a module, with arguments that JSON carries, in a
// process of its own: a function that fails, hangs or crashes stops nothing else.

import { builtin } from "../../platform/node-builtins.ts";
import { checkTime } from "../../settings/milliseconds.ts";
import { durableError } from "../../errors/durable.ts";
import { HELPER, ownNodeArguments, withNodeOptions } from "../../platform/node-options.ts";
import { preloadedFiles } from "../../platform/preloaded-files.ts";
import { runCommand } from "./run-command.ts";
import { assertStillMeant, type CodeOnDisk, codeOnDisk, directoryOf, isCodeOnDisk, itself } from "./code-on-disk.ts";
import { DEFAULT_TIMEOUT, isEnvironment, isStrings } from "./exec.ts";
import { hasOthers, type RegisteredEnvironment, registeredEnvironment } from "./registered-environment.ts";
import { type JsonValue, refuseBeyondJson } from "../json-value.ts";
import type { RecipeKind, Success } from "./recipe-kind.ts";
import { environment, process } from "../../platform/process.ts";

export interface CallRecipe extends RegisteredEnvironment {
  readonly do: "call";
  /** A file: URL. */
  readonly module: string;
  /** The file of the module. */
  readonly code: CodeOnDisk;
  readonly export: string;
  readonly args: readonly JsonValue[];
  readonly cwd: CodeOnDisk;
  /** The owner's own options for Node, which its modules may need: `--import tsx`. */
  readonly execArgv: readonly string[];
  readonly nodeOptions: string;
  /** What these options have Node load before the module. */
  readonly preloaded: readonly CodeOnDisk[];
  readonly timeout: number;
}

export function describeCall(module: unknown, exportName: unknown, args: readonly unknown[]): CallRecipe {
  if (typeof exportName !== "string") throw durableError("ERR_ATEXIT_EXPORT", exportName);
  refuseBeyondJson(args);
  const timeout = checkTime("timeout", DEFAULT_TIMEOUT);
  const url = moduleUrl(module);
  const cwd = process.cwd();
  const execArgv = ownNodeArguments();
  const nodeOptions = environment()["NODE_OPTIONS"] ?? "";
  return {
    do: "call",
    module: url,
    export: exportName,
    args: structuredClone(args) as readonly JsonValue[],
    code: codeOnDisk(builtin("url").fileURLToPath(url)),
    cwd: codeOnDisk(cwd),
    ...registeredEnvironment(),
    execArgv,
    nodeOptions,
    preloaded: preloadedFiles(execArgv, nodeOptions, cwd).map(codeOnDisk),
    timeout,
  };
}

function moduleUrl(given: unknown): string {
  const text = given instanceof URL ? given.href : given;
  if (typeof text !== "string") throw durableError("ERR_ATEXIT_MODULE", given);
  if (builtin("path").isAbsolute(text)) return builtin("url").pathToFileURL(text).href;
  if (!text.startsWith("file:") || !URL.canParse(text)) throw durableError("ERR_ATEXIT_MODULE", given);
  return text;
}

export const callRecipe: RecipeKind<CallRecipe> = {
  matches: (line) =>
    typeof line["module"] === "string" &&
    line["module"].startsWith("file:") &&
    typeof line["export"] === "string" &&
    Array.isArray(line["args"]) &&
    isCodeOnDisk(line["code"]) &&
    isCodeOnDisk(line["cwd"]) &&
    isEnvironment(line["env"]) &&
    isStrings(line["execArgv"]) &&
    typeof line["nodeOptions"] === "string" &&
    Array.isArray(line["preloaded"]) &&
    line["preloaded"].every(isCodeOnDisk) &&
    (line["others"] === undefined || typeof line["others"] === "string") &&
    Number.isFinite(line["timeout"]),

  title: ({ module, export: name }) => `call ${name} of ${module}`,

  names: ({ module, code, export: name, args }, { view }) => [
    `call ${JSON.stringify([code.is?.slice(0, 2) ?? module, name, args])}`,
    `call at ${JSON.stringify([view, module, name, args])}`,
  ],

  directories: ({ code, cwd, preloaded }) => [...[code, ...preloaded].flatMap(directoryOf), ...itself(cwd)],

  async carryOut(recipe, context): Promise<Success> {
    const { isOwner, sameView, sameDevices, helper } = context;
    const title = callRecipe.title(recipe);
    if (!isOwner) {
      if (!sameView) return "elsewhere";
      assertStillMeant(recipe.code, title, sameDevices);
      assertStillMeant(recipe.cwd, title, sameDevices);
      for (const code of recipe.preloaded) assertStillMeant(code, title, sameDevices);
    }
    if (helper === undefined) {
      throw durableError("ERR_ATEXIT_COMMAND_FAILED", title, "could not be started: there is no Node to run it in", "");
    }
    const [node = "", ...args] = helper.runtime;
    await runCommand(node, [...args, ...recipe.execArgv, helper.program, "--call"], {
      cwd: builtin("fs").existsSync(recipe.cwd.path) ? recipe.cwd.path : "/",
      env: {
        ...(isOwner || hasOthers(recipe, context)
          ? withNodeOptions(recipe.nodeOptions)
          : { [HELPER]: "1", NODE_OPTIONS: recipe.nodeOptions }),
        ...recipe.env,
      },
      timeout: recipe.timeout,
      title,
      input: JSON.stringify({ module: recipe.module, export: recipe.export, args: recipe.args }),
    });
    return "done";
  },
};
