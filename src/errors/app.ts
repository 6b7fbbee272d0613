// The errors of this part, as a table.

import { clause, defineErrors, show } from "./define-errors.ts";

const table = {
  ERR_ATEXIT_NAME: {
    Class: TypeError,
    message: (given: unknown) =>
      `The application's name must be of letters, digits, dots, dashes and underscores, as in "my-app", and ${show(given)} was given.`,
  },
  ERR_ATEXIT_STATE_DIRECTORY: {
    Class: Error,
    message: (refused: readonly (readonly [path: string, why: string])[]) =>
      `The application's lock and log are not kept ${refused.map(([path, why]) => `in ${path}: ${clause(why)}`).join("; nor ")}. Pass { dir }, or set XDG_STATE_HOME, to a directory that only this user can write to and replace.`,
  },
  ERR_ATEXIT_ALREADY_LEAVING: {
    Class: Error,
    message: (name: string) => `${name} is ending and takes nothing more: do not call this in a cleanup.`,
  },
} as const;

/** The `code` of an error of this part. */
export type AppErrorCode = keyof typeof table;

/** Makes the error of a code, with the parts of its message. */
export const appError = defineErrors(table);
