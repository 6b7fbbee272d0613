// Reads the options of the commands, and rejects wrong ones.

import type { parseArgs, ParseArgsConfig } from "node:util";
import { builtin } from "../platform/node-builtins.ts";

/** The exit status of this command where the command that it runs does not decide. */
export const EXIT = {
  /** Something that was to be done has failed. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The lock is held. EX_TEMPFAIL of sysexits(3): trying again later may help. */
  held: 75,
  /** This command itself has failed: this and the next two are as in env(1), timeout(1) and docker-run(1). */
  itself: 125,
  cannotExecute: 126,
  notFound: 127,
} as const;

/** The error of a command line that makes no sense; its message says what does. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reports whether an error is a usage error, by its name: each file of the package has a copy of the class. */
export function isUsageError(error: unknown): error is UsageError {
  return (error as UsageError).name === "UsageError";
}

/** Runs a subcommand, and adds to a usage error where to read more. */
export async function withHint(name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (isUsageError(error)) error.message += `\nTry: atexit ${name} --help`;
    throw error;
  }
}

/** Reports whether help is asked for, and not after `--` or by the command that is run. */
export function asksForHelp(args: readonly string[]): boolean {
  const first = args.findIndex((arg) => arg === "--" || !arg.startsWith("-"));
  return (first === -1 ? args : args.slice(0, first)).some((arg) => arg === "--help" || arg === "-h");
}

type Options = NonNullable<ParseArgsConfig["options"]>;

type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; tokens: true; strict: true; allowPositionals: true }>
>;

/** @throws a {@link UsageError} */
export function optionsIn<T extends Options>(args: readonly string[], options: T): Parsed<T> {
  // The most frequent case does not need the parser.
  if (args.length === 0) return { values: {}, positionals: [], tokens: [] } as unknown as Parsed<T>;
  try {
    return builtin("util").parseArgs({ args: [...args], options, tokens: true, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** @throws a {@link UsageError} where there is any */
export function refuseOperands([first]: readonly string[]): void {
  if (first !== undefined) throw new UsageError(`What is ${first} to mean here?`);
}

/** More arguments than anybody gives before the command. */
const MANY = 1_000;

/** Splits a command line at the end of this command's own options, where the command that it runs begins. */
export function splitAtCommand<T extends Options>(
  args: readonly string[],
  options: T,
): readonly [own: string[], command: string[]] {
  if (args[0] === "--") return [[], args.slice(1)];
  // What follows may be too much for the parser.
  for (const part of [args.slice(0, args.indexOf("--") + 1 || MANY), args]) {
    const { tokens } = builtin("util").parseArgs({
      args: [...part],
      options,
      tokens: true,
      strict: false,
      allowPositionals: true,
    });
    const first = tokens.find(({ kind }) => kind !== "option");
    if (first === undefined) continue;
    return [args.slice(0, first.index), args.slice(first.index + (first.kind === "option-terminator" ? 1 : 0))];
  }
  return [[...args], []];
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Returns a time such as `500ms`, `10s`, `1.5m` in milliseconds; without a unit it is in seconds.
 *
 * @throws a {@link UsageError}
 */
export function timeIn(option: string, text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === undefined) throw new UsageError(`${option} takes a time such as 500ms, 10s or 1.5m, and not ${text}`);
  return Number(number) * (UNITS[unit] as number);
}

/**
 * Returns the words of a command line, with the quotes of a shell and nothing
 * else of it: no variables, no patterns, no substitutions.
 *
 * @throws a {@link UsageError}
 */
export function wordsIn(option: string, text: string): string[] {
  const words: string[] = [];
  const word = /\s*((?:[^\s'"\\]|\\[^]|'[^']*'|"(?:[^"\\]|\\[^])*")+)\s*/y;
  while (word.lastIndex < text.length) {
    const at = word.lastIndex;
    const found = word.exec(text)?.[1];
    if (found === undefined) {
      if (text.slice(at).trim() === "") break;
      throw new UsageError(`${option} has a quote that is not closed: ${text}`);
    }
    words.push(
      found.replace(
        /\\([^])|'([^']*)'|"((?:[^"\\]|\\[^])*)"/g,
        (_, escaped?: string, single?: string, double?: string) =>
          double === undefined ? (escaped ?? single ?? "") : double.replace(/\\(["\\$`])/g, "$1"),
      ),
    );
  }
  if (words.length === 0) throw new UsageError(`${option} takes a command, such as 'docker compose down'`);
  return words;
}
