// How errors are made of a table: each has a class, a code, and a message that
// says what to do instead.

import { inspect } from "./builtin.js";

type Table = Record<string, { Class: ErrorConstructor; message(...parts: never[]): string }>;

/** A function that makes the errors of a table: given a code and its message's parts. */
export function failuresOf<T extends Table>(table: T) {
  return <C extends keyof T & string>(code: C, ...parts: Parameters<T[C]["message"]>): Error & { code: C } => {
    const { Class, message } = table[code] as T[C];
    return Object.assign(new Class(message(...(parts as never[]))), { code });
  };
}

/** A value, as a message shows it. */
export function show(value: unknown): string {
  return inspect(value, { customInspect: true, depth: 0, breakLength: Number.POSITIVE_INFINITY });
}
