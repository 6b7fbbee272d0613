// Makes errors from a table: each has a class, a code, and a message that says
// what to do instead.

import { inspect } from "../platform/node-builtins.ts";
import { printableLines } from "../platform/printable.ts";

type Table = Record<string, { Class: ErrorConstructor; message(...parts: never[]): string }>;

type AnyFunction = (...args: never[]) => unknown;

/**
 * Returns a function that makes the errors of a table: given a code and the parts
 * of its message, which may hold names of files and what other programs have said.
 */
export function defineErrors<T extends Table>(table: T) {
  return <C extends keyof T & string>(code: C, ...parts: Parameters<T[C]["message"]>): Error & { code: C } => {
    const { Class, message } = table[code] as T[C];
    return Object.assign(new Class(printableLines(message(...(parts as never[])))), { code });
  };
}

/** Returns what the system has said as a part of a sentence: some of its messages end with a full stop. */
export function clause(text: string): string {
  return text.replace(/\.$/, "");
}

/** Returns the text of a value for a message. */
export function show(value: unknown): string {
  return inspect(value, { customInspect: true, depth: 0, breakLength: Number.POSITIVE_INFINITY });
}

/**
 * Calls `body`. The stack of an error of this package that it throws begins at
 * the line that called `callee`: the frames above it do not show the mistake.
 */
export function blameCaller<T>(callee: AnyFunction, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw beginAt(callee, error);
  }
}

/** Makes the stack of an error of this package begin at the line that called `callee`; returns the error. */
export function beginAt(callee: AnyFunction, error: unknown): unknown {
  if (String((error as Partial<NodeJS.ErrnoException> | undefined)?.code).startsWith("ERR_ATEXIT_")) {
    Error.captureStackTrace(error as Error, callee);
  }
  return error;
}
