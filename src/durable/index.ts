// The public API of `atexit/durable`: cleanups as data, for the ways out that
// no program sees.

/// <reference lib="esnext.disposable" preserve="true" />

import type { ChildProcess } from "node:child_process";
import { blameCaller } from "../errors/define-errors.ts";
import type { Registration } from "../index.ts";
import { type Describe, type DurableOptions, type DurableRegistration, ThreadJournal } from "./thread-journal.ts";
import { readLog } from "./replay/replay-log.ts";
import { describeCall } from "./recipes/call.ts";
import { describeExec, type ExecOptions } from "./recipes/exec.ts";
import type { JsonValue } from "./json-value.ts";
import { followChild } from "./recipes/follow-child.ts";
import { describeKill, isChild, type KillOptions } from "./recipes/kill.ts";
import { describeRemove } from "./recipes/remove.ts";
import type { JournalDirectory } from "./journal/directory.ts";
import { startRecovery } from "./replay/start-replay.ts";
import type { Replayed } from "./replay/replayed.ts";
import type { DurableSettings } from "./settings.ts";
import { stateHolder } from "../platform/process.ts";

export type { DurableErrorCode } from "../errors/durable.ts";
export type { DurableSettings, ExecOptions, JsonValue, KillOptions, Replayed };

const durable = sharedJournal();

/**
 * Registers the removal of a file, a symbolic link, or a directory with all
 * that is in it: when the process ends, however it ends, SIGKILL and a crash
 * included.
 *
 * Only the file that is there now is removed, or, where there is none yet, the
 * file that is made later: a file that has taken its place is left alone. No
 * link is followed. A file that is gone already is no error.
 *
 * @param path a path, or a `file:` URL; a relative path is resolved now
 * @returns a handle, as `register` does
 * @throws a `TypeError` with the code `ERR_ATEXIT_PATH`; a `RangeError` with the
 *   code `ERR_ATEXIT_PROTECTED_PATH` for the root, the home and the working directory,
 *   and what these are in; an `Error` with the code `ERR_ATEXIT_DIRECTORY` or
 *   `ERR_ATEXIT_JOURNAL` where it cannot be written down
 * @example
 * ```js
 * import { remove } from "atexit/durable";
 * import { mkdtempSync } from "node:fs";
 *
 * const scratch = mkdtempSync("/tmp/scratch-");
 * remove(scratch);
 * ```
 */
export function remove(path: string | URL): Registration<void> {
  return durable.add(remove, (clock) => describeRemove(path, clock)).registration;
}

/**
 * Registers the end of another process and its descendants: first they are
 * asked with a signal, then, after `grace`, killed.
 *
 * A process that has got the same pid since is left alone, and so is a process
 * group that has got the same number; that it has ended already is no error.
 * Descendants are found by their parents, and, where the process leads a process
 * group (`detached: true`), by that, also after it has ended itself. A child that
 * ends and leaves none is forgotten.
 *
 * @param target a child process, or a pid
 * @param options the signal (`SIGTERM` by default), and how long it may take, in milliseconds (5,000 by default)
 * @throws a `RangeError` with the code `ERR_ATEXIT_PROCESS`, `ERR_ATEXIT_SIGNAL` or `ERR_ATEXIT_TIME`
 * @example
 * ```js
 * import { kill } from "atexit/durable";
 * import { spawn } from "node:child_process";
 *
 * const server = spawn("sleep", ["1000"], { stdio: "ignore" });
 * kill(server);
 * server.unref(); // or this program goes on until that one ends
 * ```
 */
export function kill(target: ChildProcess | number, options: KillOptions = {}): Registration<Promise<void>> {
  const recipe = blameCaller(kill, () => describeKill(target, options));
  const { registration, pending } = durable.add(kill, () => recipe);
  if (isChild(target))
    followChild(target, recipe, { update: (newer) => pending.update(newer), cancel: () => registration.cancel() });
  return registration;
}

/**
 * Registers a command, which no shell takes apart.
 *
 * The command must bear being run twice: where this process is killed at the
 * very moment when it has run, it is run again. Never two run at once: one that
 * outlives this process is waited for, up to its time limit, and not run again,
 * though nobody hears then whether it has failed.
 *
 * @param command a program's name or path
 * @param args its arguments
 * @param options its working directory, its environment beside what is there, and its time limit
 * @throws a `TypeError` with the code `ERR_ATEXIT_COMMAND`; a `RangeError` with the code `ERR_ATEXIT_TIME`
 * @example
 * ```ts
 * import { exec } from "atexit/durable";
 *
 * exec("docker", ["rm", "--force", "my-database"], { timeout: 20_000 });
 * ```
 */
export function exec(
  command: string,
  args: readonly string[] = [],
  options: ExecOptions = {},
): Registration<Promise<void>> {
  return durable.add(exec, () => describeExec(command, args, options), { command: {} }).registration;
}

/**
 * Registers a call of an exported function, in a process of its own, which
 * imports the module anew with the options that Node has here (`--import tsx`).
 * So the module must do no harm when it is imported: give such functions a file
 * of their own. Within ten seconds it must be done; it may be called twice.
 *
 * @param module `import.meta.url`, or another `file:` URL or absolute path
 * @param exportName which of its exports
 * @param args what JSON can carry
 * @throws a `TypeError` with the code `ERR_ATEXIT_MODULE`, `ERR_ATEXIT_EXPORT` or `ERR_ATEXIT_JSON`
 * @example
 * ```ts
 * import { call } from "atexit/durable";
 *
 * call(import.meta.resolve("./schema.js"), "dropSchema", "test_42");
 * ```
 */
export function call(module: string | URL, exportName: string, ...args: JsonValue[]): Registration<Promise<void>> {
  return durable.add(call, () => describeCall(module, exportName, args)).registration;
}

/**
 * Carries out what dead processes have left, where their guards died too. The
 * first recipe of each program begins the same in the background.
 *
 * @param options with `dryRun` nothing is done, and what would be is returned
 * @returns what was done, in that order
 * @throws (rejects with) an error with the code `ERR_ATEXIT_DIRECTORY`
 * @example
 * ```js
 * import { recover } from "atexit/durable";
 *
 * for (const { title, outcome } of await recover({ dryRun: true })) console.log(title, outcome);
 * ```
 */
export async function recover(options: { dryRun?: boolean } = {}): Promise<Replayed[]> {
  return durable.recover(options.dryRun === true);
}

/**
 * Returns what guards and recoveries have done for this user's dead processes,
 * oldest first, as far back as the log goes. The channel `atexit:replay` of
 * node:diagnostics_channel tells the same of recoveries in this process.
 *
 * @example
 * ```js
 * import { replays } from "atexit/durable";
 *
 * for (const { at, title, outcome } of replays()) console.log(at, title, outcome);
 * ```
 */
export function replays(): Replayed[] {
  return readLog(durable.directory.path);
}

/**
 * Changes where and how recipes are written down; a journal that is open stays
 * as it is. An operator's environment variables (`ATEXIT_DIR`,
 * `ATEXIT_GUARD=off`) override it.
 *
 * @param settings what to change
 * @returns all settings, as they are now
 * @throws a `TypeError` with the code `ERR_ATEXIT_SETTINGS`
 * @example
 * ```js
 * import { configure } from "atexit/durable";
 *
 * configure({ fsync: true });
 * ```
 */
export function configure(settings: Partial<DurableSettings>): DurableSettings {
  return blameCaller(configure, () => durable.configure(settings));
}

/**
 * What `atexit/resources` is made of: registers a recipe for a function of its
 * own, whose caller reports are to name, and tells where recipes are written down.
 *
 * @internal
 */
export const forResources = {
  add: (callee: (...args: never[]) => unknown, describe: Describe, options: DurableOptions = {}): DurableRegistration =>
    durable.add(callee, describe, { mayGoWithout: true, ...options }),
  /** Registers a command by a name for reports, whose output is seen where this process runs it. */
  runSeen(
    callee: (...args: never[]) => unknown,
    name: string,
    [command, ...args]: readonly string[],
    options: ExecOptions,
  ): void {
    durable.add(callee, () => describeExec(command, args, options), { command: { name, inheritsOutput: true } });
  },
  get directory(): JournalDirectory {
    return durable.place;
  },
  startRecovery,
  /** Returns the directory of journals, unless there is none that can be trusted. */
  directoryIfAny(): JournalDirectory | undefined {
    try {
      return durable.place;
    } catch {
      return undefined;
    }
  },
};

/** Returns this thread's journal, made by the first copy of this package that is loaded: one journal has one order. */
function sharedJournal(): ThreadJournal {
  const KEY = Symbol.for("atexit.durable.2");
  const holder = stateHolder as { [KEY]?: ThreadJournal };
  if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { value: new ThreadJournal() });
  return holder[KEY] as ThreadJournal;
}
