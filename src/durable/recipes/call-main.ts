// The process in which a `call` is carried out: reads from its standard input
// which function of which module, calls it, and ends when that has ended.

import { readFileSync } from "node:fs";

/** What the process that carries a `call` out writes. */
interface CallInput {
  readonly module: string;
  readonly export: string;
  readonly args: readonly unknown[];
}

const { module, export: name, args } = JSON.parse(readFileSync(0, "utf8")) as CallInput;
const exports = (await import(module)) as Record<string, unknown>;
// What a CommonJS module exports may be found on its default export alone.
const fn = exports[name] ?? (exports["default"] as Record<string, unknown> | undefined)?.[name];
if (typeof fn !== "function") throw new TypeError(`${module} exports no function ${JSON.stringify(name)}`);
await (fn as (...args: unknown[]) => unknown)(...args);
process.exit();
