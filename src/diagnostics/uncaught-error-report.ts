// The report of an uncaught error, as Node prints it: from JavaScript, since
// Node's own comes only when no more JavaScript can run.

import { builtin, inspect } from "../platform/node-builtins.ts";
import { sourceExcerpt } from "./source-excerpt.ts";
import { environment, process } from "../platform/process.ts";

/** Returns what Node would print on stderr for this error. */
export function uncaughtErrorReport(error: unknown, kind: "uncaughtException" | "unhandledRejection"): string {
  const version = omitsVersion() ? "" : `\nNode.js ${process.version}\n`;
  return `${bodyOf(error, kind)}\n${version}`;
}

function bodyOf(error: unknown, kind: "uncaughtException" | "unhandledRejection"): string {
  const depth = Math.max(builtin("util").inspect.defaultOptions.depth ?? 0, 5);
  const stack = stackOf(error);
  if (typeof stack === "string") {
    const options = { depth, colors: stderrHasColors() };
    const longer = longerStackOf(error as Record<symbol, () => string>);
    if (longer !== undefined) {
      Reflect.set(error as Error, "stack", longer);
      const shown = inspect(error, options, longer);
      Reflect.set(error as Error, "stack", stack);
      return shown;
    }
    const excerpt = sourceExcerpt(error, stack, kind);
    const shown = inspect(error, options, stack);
    return excerpt === undefined ? shown : `${excerpt}\n${shown}`;
  }
  const isObject = typeof error === "object" && error !== null;
  if (isObject && stack !== null) return inspect(error, { depth });
  const value = isObject ? firstLineOf(error) : typeof error === "symbol" ? "" : String(error); // Node has no word for a symbol
  return `${value}\n(Use \`node --trace-uncaught ...\` to show where the exception was thrown)`;
}

/** Node keeps, on the error of an `error` event that nobody listens to, a function that returns its stack and where it was emitted. */
function longerStackOf(error: Record<symbol, () => string>): string | undefined {
  try {
    const symbol = Object.getOwnPropertySymbols(error).find(
      (each) => each.description === "kEnhanceStackBeforeInspector",
    );
    return symbol && error[symbol]?.();
  } catch {
    return undefined; // a proxy
  }
}

/** Returns one line that says what an error is: the first of its own that says anything. */
export function firstLineOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return firstOf(inspect(error, { depth: 0 }));
    return `${error.name}: ${firstOf(error.message)}`;
  } catch {
    return "it cannot be shown"; // a revoked proxy, or a getter that throws
  }
}

function firstOf(text: string): string {
  const line = text.split("\n").find((each) => each.trim() !== "");
  return line?.trim() ?? "";
}

/** Returns `undefined` where it has none, and `null` where that cannot be read. */
function stackOf(error: unknown): string | null | undefined {
  try {
    const stack = (error as Error | null | undefined)?.stack;
    return typeof stack === "string" && stack !== "" ? stack : undefined;
  } catch {
    return null; // a revoked proxy, or a getter that throws
  }
}

function stderrHasColors(): boolean {
  const { isatty, WriteStream } = builtin("tty");
  return isatty(2) && WriteStream.prototype.hasColors();
}

/** Source: https://nodejs.org/api/cli.html#--no-extra-info-on-fatal-exception */
function omitsVersion(): boolean {
  const flag = "--no-extra-info-on-fatal-exception";
  return process.execArgv.includes(flag) || (environment()["NODE_OPTIONS"] ?? "").includes(flag);
}
