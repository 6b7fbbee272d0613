// Carries a `call` out in this process: reads from standard input which function
// of which module to call, calls it, and ends the process with it.

import { builtin } from "../../platform/node-builtins.ts";
import { process } from "../../platform/process.ts";

/** The input, written by the process that carries a `call` out. */
interface CallInput {
  readonly module: string;
  readonly export: string;
  readonly args: readonly unknown[];
}

export async function callAndExit(): Promise<never> {
  const { module, export: name, args } = JSON.parse(builtin("fs").readFileSync(0, "utf8")) as CallInput;
  const exports = (await import(module)) as Record<string, unknown>;
  // The exports of a CommonJS module may be found on its default export alone.
  const fn = exports[name] ?? (exports["default"] as Record<string, unknown> | undefined)?.[name];
  if (typeof fn !== "function") throw new TypeError(`${module} exports no function ${JSON.stringify(name)}`);
  await (fn as (...args: unknown[]) => unknown)(...args);
  process.exit();
}
