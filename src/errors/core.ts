// Every error that this package throws at a wrong call, as a table: its class, its
// code, and a message that says what to pass instead.

import { defineErrors, show } from "./define-errors.ts";

const table = {
  ERR_ATEXIT_NOT_A_FUNCTION: {
    Class: TypeError,
    message: (given: unknown) =>
      `The cleanup must be a function, and ${show(given)} was given. Pass the function itself and its arguments after it: register(close, file), not register(close(file)).`,
  },
  ERR_ATEXIT_OPTIONS: {
    Class: TypeError,
    message: (what: string, given: unknown, instead: string) =>
      `${what} must be ${instead}, and ${show(given)} was given.`,
  },
  ERR_ATEXIT_TIME: {
    Class: RangeError,
    message: (what: string, given: unknown, longest: number) =>
      `${what} must be a number of milliseconds from 0 to ${longest}, and ${show(given)} was given. 0 calls without waiting.`,
  },
  ERR_ATEXIT_EXIT_CODE: {
    Class: RangeError,
    message: (given: unknown) => `An exit code must be an integer from 0 to 255, and ${show(given)} was given.`,
  },
  ERR_ATEXIT_SIGNAL: {
    Class: RangeError,
    message: (given: unknown) =>
      `${show(given)} is no signal that can be listened to on this system. Pass names such as "SIGTERM"; SIGKILL and SIGSTOP cannot be caught by any program.`,
  },
  ERR_ATEXIT_NOT_AN_OBJECT: {
    Class: TypeError,
    message: (given: unknown) =>
      `Only an object can be garbage-collected, and ${show(given)} was given. Use register() for a cleanup at exit alone.`,
  },
  ERR_ATEXIT_KEEPS_ALIVE: {
    Class: TypeError,
    message: () =>
      "The object itself is among the cleanup's arguments, which would keep it alive until exit. Pass what the cleanup needs of it: finalize(file, close, file.fd).",
  },
} as const;

/** The `code` of an error that this package throws at a wrong call. */
export type ErrorCode = keyof typeof table;

/** Makes the error of a code, with the parts of its message. */
export const coreError = defineErrors(table);
