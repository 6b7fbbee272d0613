// The errors of scopes, as a table.

import { defineErrors, show } from "./define-errors.ts";

const table = {
  ERR_ATEXIT_SCOPE_ENDED: {
    Class: ReferenceError,
    message: (name: string) =>
      `The scope ${show(name)} has ended: nothing can be registered on it any more. Make a new one with scope(), or register() for the end of the process.`,
  },
  ERR_ATEXIT_NOT_DISPOSABLE: {
    Class: TypeError,
    message: (given: unknown) =>
      `${show(given)} has neither [Symbol.asyncDispose]() nor [Symbol.dispose](). Pass adopt(value, (value) => …) what ends it.`,
  },
  ERR_ATEXIT_SCOPE_NAME: {
    Class: TypeError,
    message: (given: unknown) =>
      `The name must be a string that is not empty, and ${show(given)} was given. Reports show it.`,
  },
} as const;

/** The `code` of an error of a scope. */
export type ScopeErrorCode = keyof typeof table;

/** Makes the error of a code, with the parts of its message. */
export const scopeError = defineErrors(table);
