// The errors of this part, as a table, and the error that says who holds a lock.

import { timeOfDay } from "../platform/node-builtins.ts";
import type { Life } from "../platform/process-identity.ts";
import { printable } from "../platform/printable.ts";
import { clause, defineErrors, show } from "./define-errors.ts";
import { recogniseInAllCopies } from "./instance-of.ts";

const table = {
  ERR_ATEXIT_OPTION: {
    Class: TypeError,
    message: (what: string, given: unknown, instead: string) =>
      `${what} must be ${instead}, and ${show(given)} was given.`,
  },
  ERR_ATEXIT_LOCK: {
    Class: Error,
    message: (
      path: string,
      why: string,
      advice = "Take one in a directory that this program may write to, on a file system with hard links.",
    ) => `The lock file ${printable(path)} cannot be taken: ${clause(printable(why))}. ${advice}`,
  },
  ERR_ATEXIT_LOCK_LOST: {
    Class: Error,
    message: (path: string) =>
      `The lock file ${printable(path)} was deleted, or replaced, while this process held it. Another process may hold it now: stop what must not happen twice, and take the lock again.`,
  },
  ERR_ATEXIT_PID_FILE: {
    Class: Error,
    message: (path: string, why: string) =>
      `The pid file ${printable(path)} cannot be written: ${clause(printable(why))}. Stop the program that has it, delete it if that is no such program, or pass another path.`,
  },
  ERR_ATEXIT_TEMP: {
    Class: Error,
    message: (directory: string, why: string) =>
      `Nothing can be made in ${directory}: ${clause(why)}. Pass another { dir }, or set TMPDIR.`,
  },
  ERR_ATEXIT_LOG: {
    Class: Error,
    message: (path: string, why: string) =>
      `No log is written to ${printable(path)}: ${printable(why)}. Remove it, or give the log another path: a file in a directory that only this user writes to, or /dev/stdout.`,
  },
  ERR_ATEXIT_CLOSED: {
    Class: Error,
    message: (what: string) => `${what} is closed already. Register what still uses it after it: last in, first out.`,
  },
  ERR_ATEXIT_CANNOT_CLOSE: {
    Class: TypeError,
    message: (given: unknown, ways: string) =>
      `${show(given)} has no way to be closed that is known (${ways}). Pass closing(resource, (resource) => …), or register() a function.`,
  },
} as const;

/** The `code` of an error of this part. */
export type ResourceErrorCode = keyof typeof table | "ERR_ATEXIT_LOCK_HELD";

/** Makes the error of a code, with the parts of its message. */
export const resourceError = defineErrors(table);

/** The known facts about a lock's holder. Whoever can write beside the lock may have made them up. */
export interface LockHolder {
  readonly pid: number | undefined;
  /** The user to whom the lock file belongs. */
  readonly uid: number;
  /** Since when it holds the lock. */
  readonly since: Date;
  readonly host: string | undefined;
  /** Its executable and script. */
  readonly program: string | undefined;
  /** The value that it passed as `data`. */
  readonly data: unknown;
}

/** The error thrown where another holder has the lock. */
export class LockHeldError extends Error {
  override readonly name = "LockHeldError";
  readonly code = "ERR_ATEXIT_LOCK_HELD";
  /** The lock file. */
  readonly path: string;
  readonly pid: number | undefined;
  /** The user to whom the lock file belongs. */
  readonly uid: number;
  /** Since when the lock is held. */
  readonly since: Date;
  readonly host: string | undefined;
  /** The holder's executable and script, without arguments. */
  readonly program: string | undefined;
  /** The value that the holder passed as `data`. Check it: another user may have written the file. */
  readonly data: unknown;
  /** Whether the holder is alive, or `unknown` from here. A dead holder's mess is being cleaned up. */
  readonly life: Life;
  /** The message's first sentence: who holds it. */
  readonly state: string;

  constructor(path: string, holder: LockHolder, here: Here) {
    const host = holder.host === undefined ? undefined : printable(holder.host).slice(0, LONGEST_HOST);
    const program = holder.program === undefined ? undefined : printable(holder.program).slice(0, LONGEST_PROGRAM);
    const [state, advice] = stateAndAdvice(printable(path), { ...holder, host, program }, here);
    super(`${state} ${advice}`);
    this.path = path;
    this.life = here.life;
    this.state = state;
    this.host = host;
    this.program = program;
    ({ pid: this.pid, uid: this.uid, since: this.since, data: this.data } = holder);
  }
}

recogniseInAllCopies(LockHeldError);

/** What is known here of the holder. */
interface Here {
  /** This process's own. */
  readonly pid: number;
  readonly life: Life;
  /** Whether a directory is at the lock's path. */
  readonly isDirectory?: boolean;
}

/** How much of a name is shown, in characters. */
const LONGEST_PROGRAM = 1_000;
const LONGEST_HOST = 255;

/** The lock file may be another user's: what it says of its holder is printed, and controls no terminal. */
function stateAndAdvice(
  path: string,
  { pid, uid, since, host, program }: LockHolder,
  here: Here,
): readonly [state: string, advice: string] {
  const time = `since ${timeOf(since)} (${age(timeOfDay() - since.getTime())})`;
  if (here.isDirectory === true) {
    return [
      `${path} is a directory of user ${uid}, ${time}, and may be a lock as proper-lockfile makes it: nobody can tell who holds it.`,
      "Stop the programs that use it, and remove it with rmdir; or pass another path.",
    ];
  }
  if (pid === undefined) {
    return [
      `${path}, of user ${uid}, is there ${time}, and was not written by this package, or not readably.`,
      "Delete it if nobody uses it any more.",
    ];
  }
  if (pid === here.pid && here.life === "alive") {
    return [`This process (${pid}) holds ${path} itself ${time}.`, "Release it first, or wait for it with { wait }."];
  }
  const who = `process ${pid} ${host === undefined ? `of user ${uid}` : `on ${host}`}${program === undefined ? "" : ` (${program})`}`;
  if (here.life === "dead") {
    return [
      `${path} was held by ${who}, which has died, and what it left behind is still being cleaned up.`,
      "Wait for it with { wait }.",
    ];
  }
  if (here.life === "unknown") {
    return [
      `${path} is held by ${who} ${time}, and from here nobody can tell whether that is alive.`,
      "Stop it, or delete the file if it has ended for certain.",
    ];
  }
  return [`${path} is held by ${who} ${time}.`, "Stop that process, or wait for it with { wait }."];
}

/** A file system may tell of a time that no calendar has. */
function timeOf(time: Date): string {
  return Number.isNaN(time.getTime()) ? "an unknown time" : time.toISOString();
}

/** Returns an age such as "3 minutes ago". A clock may have jumped. */
function age(milliseconds: number): string {
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1_000],
  ] as const;
  for (const [unit, length] of units) {
    const count = Math.floor(milliseconds / length);
    if (count >= 1) return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
  }
  return "just now";
}
