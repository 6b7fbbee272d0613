// Every error that this part throws at a wrong call, as a table.

import { system } from "../platform/this-system.ts";
import { clause, defineErrors, show } from "./define-errors.ts";

const table = {
  ERR_ATEXIT_PATH: {
    Class: TypeError,
    message: (given: unknown) =>
      `What to remove must be a path or a file: URL, and ${show(given)} was given. Pass it as remove("/tmp/scratch").`,
  },
  ERR_ATEXIT_NO_DIRECTORY: {
    Class: Error,
    message: (path: string) =>
      `The path ${show(path)} is relative, and the working directory does not exist any more. Pass an absolute path.`,
  },
  ERR_ATEXIT_PROTECTED_PATH: {
    Class: RangeError,
    message: (path: string, what: string) =>
      `${show(path)} is ${what}, and is not removed by any cleanup. Pass a path of something that this program has made.`,
  },
  ERR_ATEXIT_PROCESS: {
    Class: RangeError,
    message: (given: unknown, why: string) =>
      `${show(given)} ${why}. Pass a ChildProcess, or the pid of a process that is to end before this one's exit is over.`,
  },
  ERR_ATEXIT_COMMAND: {
    Class: TypeError,
    message: (what: string, given: unknown, instead: string) =>
      `${what} must be ${instead}, and ${show(given)} was given. No shell takes it apart: exec("docker", ["rm", "-f", id]).`,
  },
  ERR_ATEXIT_MODULE: {
    Class: TypeError,
    message: (given: unknown) =>
      `A module is told by its file: URL or absolute path, and ${show(given)} was given. Pass import.meta.url, __filename, or import.meta.resolve("./cleanup.js").`,
  },
  ERR_ATEXIT_EXPORT: {
    Class: TypeError,
    message: (given: unknown) => `The name of an exported function must be a string, and ${show(given)} was given.`,
  },
  ERR_ATEXIT_JSON: {
    Class: TypeError,
    message: (place: string, given: unknown) =>
      `${place} is ${show(given)}, which another process could not be given: JSON carries null, booleans, finite numbers, strings, arrays and plain objects.`,
  },
  ERR_ATEXIT_SETTINGS: {
    Class: TypeError,
    message: (what: string, given: unknown, instead: string) =>
      `${what} must be ${instead}, and ${show(given)} was given.`,
  },
  ERR_ATEXIT_DIRECTORY: {
    Class: Error,
    message: (path: string, why: string) =>
      `Journals are not kept in ${path}: ${clause(why)}. Set ATEXIT_DIR, or configure({ journalDir }), to ${system.privateDirectory}.`,
  },
  ERR_ATEXIT_JOURNAL: {
    Class: Error,
    message: (path: string, why: string) =>
      `The cleanup could not be written down in ${path}, and is not registered: ${why}. Make room, or set ATEXIT_DIR to another directory.`,
  },
  ERR_ATEXIT_REPLACED: {
    Class: Error,
    message: (what: string, why: string) => `${what} is left alone: ${why}.`,
  },
  ERR_ATEXIT_STILL_THERE: {
    Class: Error,
    message: (what: string, why: string) => `${what} is still there: ${why}.`,
  },
  ERR_ATEXIT_COMMAND_FAILED: {
    Class: Error,
    message: (what: string, how: string, stderr: string) => `${what} ${how}${stderr === "" ? "." : `:\n${stderr}`}`,
  },
} as const;

/** The `code` of an error of this part. */
export type DurableErrorCode = keyof typeof table;

/** Makes the error of a code, with the parts of its message. */
export const durableError = defineErrors(table);
