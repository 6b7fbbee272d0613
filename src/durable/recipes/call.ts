// call: an exported function of a module, with arguments that JSON carries, in a
// process of its own: a function that fails, hangs or crashes stops nothing else.

import { builtin } from "../../platform/node-builtins.ts";
import { packagePath } from "../../platform/package-files.ts";
import { checkTime } from "../../settings/milliseconds.ts";
import { durableError } from "../../errors/durable.ts";
import { ownNodeArguments, withNodeOptions } from "../../platform/node-options.ts";
import { runCommand } from "./run-command.ts";
import { DEFAULT_TIMEOUT, isStrings } from "./exec.ts";
import { type JsonValue, refuseBeyondJson } from "../json-value.ts";
import type { RecipeKind, Success } from "./recipe-kind.ts";

export interface CallRecipe {
  readonly do: "call";
  /** A file: URL. */
  readonly module: string;
  readonly export: string;
  readonly args: readonly JsonValue[];
  readonly cwd: string;
  /** The owner's own options for Node, which its modules may need: `--import tsx`. */
  readonly execArgv: readonly string[];
  readonly nodeOptions: string;
  readonly timeout: number;
}

export function describeCall(module: unknown, exportName: unknown, args: readonly unknown[]): CallRecipe {
  if (typeof exportName !== "string") throw durableError("ERR_ATEXIT_EXPORT", exportName);
  refuseBeyondJson(args);
  const timeout = checkTime("timeout", DEFAULT_TIMEOUT);
  const url = moduleUrl(module);
  return {
    do: "call",
    module: url,
    export: exportName,
    args: structuredClone(args) as readonly JsonValue[],
    cwd: process.cwd(),
    execArgv: ownNodeArguments(),
    nodeOptions: process.env["NODE_OPTIONS"] ?? "",
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
    typeof line["cwd"] === "string" &&
    isStrings(line["execArgv"]) &&
    typeof line["nodeOptions"] === "string" &&
    Number.isFinite(line["timeout"]),

  title: ({ module, export: name }) => `call ${name} of ${module}`,

  async carryOut(recipe, { node }): Promise<Success> {
    await runCommand(node, [...recipe.execArgv, packagePath("call")], {
      cwd: builtin("fs").existsSync(recipe.cwd) ? recipe.cwd : "/",
      env: withNodeOptions(recipe.nodeOptions),
      timeout: recipe.timeout,
      title: callRecipe.title(recipe),
      input: JSON.stringify({ module: recipe.module, export: recipe.export, args: recipe.args }),
    });
    return "done";
  },
};
