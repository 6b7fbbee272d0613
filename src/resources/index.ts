// The public API of `atexit/resources`: resources that leak in real programs, as
// handles that are cleaned up once: at the end of their scope, when closed, or at
// exit.

/// <reference lib="esnext.disposable" preserve="true" />

import type { ChildProcess } from "node:child_process";
import type { Server } from "node:net";
import type { Worker } from "node:worker_threads";
import type { KillOptions } from "../durable/index.ts";
import { blameCaller } from "../errors/define-errors.ts";
import { type Child, type ChildOptions, childEnvironment as markedEnvironment, killAtExit } from "./child-process.ts";
import { closeAtExit, isKnownToClose } from "./close-at-exit.ts";
import type { WayToClose } from "./ways/way-to-close.ts";
import { waysToClose as ways } from "./ways/ways-to-close.ts";
import { acquire, acquireSync, type LockFile, type LockOptions, type LockState, stateOf } from "./lock-file.ts";
import { type LogFile, type LogFileOptions, OpenLog } from "./log-file.ts";
import { type ParentOptions, watchParent } from "./parent-watch.ts";
import { makePidFile, type PidFile } from "./pid-file.ts";
import { drainAtExit, type ServerClosing, type ServerOptions } from "./server-drain.ts";
import { killTreeNow } from "./kill-tree-now.ts";
import {
  makeTempDir,
  makeTempFile,
  type Temp,
  type TempDirOptions,
  type TempFileOptions,
  type TempOptions,
  withTemp,
} from "./temp-path.ts";
import {
  type Closing,
  type ClusterOptions,
  endClusterAtExit,
  destroyPoolAtExit,
  isPool,
  terminateWorkerAtExit,
  type WorkerOptions,
  type WorkerPool,
} from "./workers.ts";
import { environment } from "../platform/process.ts";

export { LockHeldError, type ResourceErrorCode } from "../errors/resources.ts";
export type {
  Child,
  ChildOptions,
  Closing,
  ClusterOptions,
  KillOptions,
  LockFile,
  LockOptions,
  LockState,
  LogFile,
  LogFileOptions,
  ParentOptions,
  PidFile,
  ServerClosing,
  ServerOptions,
  Temp,
  TempDirOptions,
  TempFileOptions,
  TempOptions,
  WayToClose,
  WorkerOptions,
  WorkerPool,
};

/**
 * Takes a lock: of all processes that call this with the same path, one at a
 * time has it, however the others end.
 *
 * - Every exit that JavaScript sees: the lock is released, after what was
 *   registered later has been cleaned up.
 * - SIGKILL, a crash, out of memory: the next one gets it as soon as the dead
 *   one's recipes have been carried out, by its guard or by the next one itself.
 * - Power loss: the next start gets it.
 *
 * @param path the lock file: a place that all contenders name alike, in a directory of their own, on a file
 *   system with hard links
 * @param options how long to wait in milliseconds, an `AbortSignal` to stop waiting, and what others may read of this holder
 * @throws (rejects with) a {@link LockHeldError} that says who holds it, or that a
 *   directory is there, as another library makes it; the signal's reason; an error with
 *   the code `ERR_ATEXIT_LOCK` where the system refuses, or something else is there; with `ERR_ATEXIT_OPTION` for
 *   more than 256 KB of data
 * @example
 * ```js
 * import { lockFile } from "atexit/resources";
 *
 * const lock = await lockFile("app.lock", { wait: 5_000 });
 * console.log("the only one");
 * lock.release();
 * ```
 */
export function lockFile(path: string | URL, options: LockOptions & { signal?: AbortSignal } = {}): Promise<LockFile> {
  return acquire(lockFile, path, options);
}

/**
 * Says who holds a lock, without taking it and without waking anybody who waits for
 * it. It may be another's a moment later: to be the only one, take it.
 *
 * @param path the lock file
 * @returns the holder, or `undefined` where the lock is free; of a directory nobody can tell whose it is
 * @throws an error with the code `ERR_ATEXIT_LOCK` where the system refuses, or
 *   something else than a file or a directory is there
 * @example
 * ```js
 * import { lockFile } from "atexit/resources";
 *
 * const holder = lockFile.check("app.lock");
 * console.log(holder === undefined ? "free" : `process ${holder.pid} is ${holder.life}`);
 * ```
 */
lockFile.check = (path: string | URL): LockState | undefined => blameCaller(lockFile.check, () => stateOf(path));

/**
 * Takes a lock as {@link lockFile} does, blocking the event loop while it waits.
 *
 * @throws as {@link lockFile} rejects
 * @example
 * ```js
 * import { lockFileSync } from "atexit/resources";
 *
 * const lock = lockFileSync("app.lock");
 * console.log("the only one");
 * lock.release();
 * ```
 */
export function lockFileSync(path: string | URL, options: LockOptions = {}): LockFile {
  return blameCaller(lockFileSync, () => acquireSync(lockFileSync, path, options));
}

/**
 * Writes this process's pid and a newline into a file, for those who look for it there:
 * systemd (`PIDFile=`), monit, scripts. The file is there at once with all that is in it.
 *
 * - Every exit that JavaScript sees: it is removed.
 * - SIGKILL, a crash, out of memory: it is removed, by this process's guard.
 * - Power loss: it is removed by the next start of a program that uses recipes.
 *
 * One whose content is another's by then, or that was replaced, stays. Beside it, as long as
 * it is held, is a {@link lockFile} with `.lock` at its end: of those that call this with the
 * same path one at a time has it, and a reused pid is told apart. A file that another
 * program has left is replaced where no process has its pid, and none in another container
 * or on another machine can have it: written since the system started, it stays in doubt.
 *
 * @param path a path, or a `file:` URL
 * @throws a {@link LockHeldError} that says who has it, of those that call this; an error
 *   with the code `ERR_ATEXIT_PID_FILE` that says so of a process of another program which is
 *   alive, or may be, and where something else is there; what {@link lockFile} and {@link tempFile} throw
 * @example
 * ```js
 * import { pidFile } from "atexit/resources";
 * import { readFileSync } from "node:fs";
 *
 * const { path } = pidFile("app.pid");
 * console.log(readFileSync(path, "utf8") === `${process.pid}\n`);
 * ```
 */
export function pidFile(path: string | URL): PidFile {
  return blameCaller(pidFile, () => makePidFile(pidFile, path));
}

/**
 * Makes an empty file with a name that cannot be guessed, which only this user
 * can read (mode 0600).
 *
 * - Every exit that JavaScript sees: it is removed.
 * - SIGKILL, a crash, out of memory: it is removed, by this process's guard.
 * - Power loss: it is removed by the next start of a program that uses recipes,
 *   if it is still there.
 *
 * @param options what its name begins and ends with, in which directory it is, its mode, and what is in it
 * @throws an error with the code `ERR_ATEXIT_TEMP` where the system refuses;
 *   `ERR_ATEXIT_OPTION`
 * @example
 * ```js
 * import { tempFile } from "atexit/resources";
 * import { writeFileSync } from "node:fs";
 *
 * const file = tempFile({ suffix: ".json" });
 * writeFileSync(file.path, "{}");
 * ```
 */
export function tempFile(options: TempFileOptions = {}): Temp {
  return blameCaller(tempFile, () => makeTempFile(tempFile, options));
}

/**
 * Makes a temporary file for one task, and removes it when that has ended, unless the
 * task has kept it.
 *
 * @param options as {@link tempFile} takes them
 * @returns what the task returns
 * @throws (rejects with) what the task throws; what {@link tempFile} throws
 * @example
 * ```js
 * import { tempFile } from "atexit/resources";
 * import { readFileSync } from "node:fs";
 *
 * const text = await tempFile.with({ content: "hello" }, (file) => readFileSync(file.path, "utf8"));
 * console.log(text);
 * ```
 */
tempFile.with = <R>(options: TempFileOptions, task: (file: Temp) => R | PromiseLike<R>): Promise<R> =>
  withTemp(tempFile(options), task);

/**
 * Makes a directory with a name that cannot be guessed, which only this user can
 * enter (mode 0700). It is removed as by {@link tempFile}, with all that is in it.
 *
 * @param options what its name begins and ends with, in which directory it is, its mode, and whether it goes only where it is empty
 * @throws an error with the code `ERR_ATEXIT_TEMP` where the system refuses;
 *   `ERR_ATEXIT_OPTION`
 * @example
 * ```js
 * import { tempDir } from "atexit/resources";
 * import { writeFileSync } from "node:fs";
 *
 * const scratch = tempDir({ prefix: "build-" });
 * writeFileSync(`${scratch.path}/a.o`, "");
 * ```
 */
export function tempDir(options: TempDirOptions = {}): Temp {
  return blameCaller(tempDir, () => makeTempDir(tempDir, options));
}

/**
 * Makes a temporary directory for one task, and removes it when that has ended,
 * unless the task has kept it.
 *
 * @param options as {@link tempDir} takes them
 * @returns what the task returns
 * @throws (rejects with) what the task throws; what {@link tempDir} throws
 * @example
 * ```js
 * import { tempDir } from "atexit/resources";
 *
 * await tempDir.with({}, async ({ path }) => console.log(path));
 * ```
 */
tempDir.with = <R>(options: TempDirOptions, task: (directory: Temp) => R | PromiseLike<R>): Promise<R> =>
  withTemp(tempDir(options), task);

/**
 * Opens a log file for appending, and makes its directory where there is none.
 *
 * - Every exit that JavaScript sees: the last line is written, and the file is
 *   closed, after what was registered later has been cleaned up.
 * - SIGKILL, a crash, out of memory: every line that was written is there; the
 *   last line is not.
 * - Power loss: lines that the system had not put on the disk are lost.
 *
 * A terminal, another character device and this process's own output
 * (`/dev/stdout`) are written to as a file is. A directory, a named pipe and a
 * socket are refused, and so is what another user may have put at the path: a
 * link of his, or his file where anybody may write to it or beside it.
 *
 * @param path the file
 * @param options the last line, the file's mode, and a signal at which it is opened anew
 * @throws an error with the code `ERR_ATEXIT_OPTION`, `ERR_ATEXIT_SIGNAL` or
 *   `ERR_ATEXIT_LOG`, or the system's
 * @example
 * ```js
 * import { logFile } from "atexit/resources";
 * import { rmSync } from "node:fs";
 *
 * const log = logFile("app.log", { last: "=== stopped ===" });
 * log.write("=== started ===");
 * log.close();
 * rmSync("app.log");
 * ```
 */
export function logFile(path: string, options: LogFileOptions = {}): LogFile {
  return blameCaller(logFile, () => new OpenLog(logFile, path, options));
}

/**
 * Ends a child process with this one, and its descendants with it: first they
 * are asked with a signal, then, after `grace`, killed.
 *
 * - Every exit that JavaScript sees: it is ended, before what was registered
 *   earlier is cleaned up.
 * - SIGKILL, a crash, out of memory: it is ended, by this process's guard.
 * - Power loss: it ends by itself.
 *
 * A child that ends by itself is forgotten, once no descendant of it can be
 * found. Descendants are found by their parents, by the process group that a
 * `detached` child leads, and, wherever they have gone, by
 * {@link childEnvironment}.
 *
 * @param process what `spawn` has returned
 * @param options the signal (`SIGTERM` by default), and how long it may take, in milliseconds (5,000 by default)
 * @throws an error with the code `ERR_ATEXIT_OPTION` for what is no `ChildProcess`,
 *   `ERR_ATEXIT_SIGNAL` or `ERR_ATEXIT_TIME`
 * @example
 * ```js
 * import { child } from "atexit/resources";
 * import { spawn } from "node:child_process";
 *
 * const server = child(spawn("sleep", ["1000"]));
 * await server.end();
 * ```
 */
export function child<C extends ChildProcess>(process: C, options: ChildOptions = {}): Child<C> {
  return killAtExit(child, process, options);
}

/**
 * Ends any process and its descendants now: first they are asked with a signal, then,
 * after `grace`, killed. What is no longer there is no error. Only what is proven to be
 * of that tree is ended: not a process that has got the pid since, or a group its number.
 *
 * @param target a child process, or a pid
 * @param options the signal (`SIGTERM` by default), and how long it may take, in milliseconds (5,000 by default)
 * @throws (rejects with) an error with the code `ERR_ATEXIT_STILL_THERE` and the pids as
 *   `left` where some could not be ended; `ERR_ATEXIT_REPLACED` where it is not known
 *   whether they are of the tree; `ERR_ATEXIT_PROCESS`, `ERR_ATEXIT_SIGNAL` or
 *   `ERR_ATEXIT_TIME` for what cannot be asked for
 * @example
 * ```js
 * import { killTree } from "atexit/resources";
 * import { spawn } from "node:child_process";
 *
 * const { pid } = spawn("sh", ["-c", "sleep 1000 & sleep 1000"], { stdio: "ignore" });
 * await killTree(pid, { grace: 2_000 });
 * ```
 */
export function killTree(target: ChildProcess | number, options: KillOptions = {}): Promise<void> {
  return killTreeNow(killTree, target, options);
}

/**
 * Returns an environment for a child process by which {@link child} finds all its
 * descendants, also those that have moved to a session of their own, or have
 * lost their parents. Make one for each child. Linux only; elsewhere it changes nothing.
 *
 * @param env what the child is to have beside it
 * @example
 * ```js
 * import { child, childEnvironment } from "atexit/resources";
 * import { spawn } from "node:child_process";
 *
 * const env = childEnvironment();
 * const server = child(spawn("sh", ["-c", "setsid sleep 1000 & wait"], { env }), { env });
 * await server.end();
 * ```
 */
export function childEnvironment(env: NodeJS.ProcessEnv = environment()): NodeJS.ProcessEnv {
  return markedEnvironment(env);
}

/**
 * Ends this process, with its cleanups, when its parent is gone: when standard
 * input ends, where that is a pipe and the program reads it; when the IPC
 * channel is closed; or when the parent's process has ended.
 *
 * Call it first: a parent that has ended before cannot be told from the process
 * that takes over orphans. What shows ends this process at once: an IPC channel that
 * is closed, a standard input that has ended, another parent than when this package
 * was loaded.
 *
 * The exit's `kind` is `"parent"`. A blocked event loop notices nothing.
 *
 * @param options whether the end of standard input counts, and how often to look, in milliseconds
 * @returns a handle whose `stop` ends the watch
 * @throws an error with the code `ERR_ATEXIT_OPTION` or `ERR_ATEXIT_TIME`
 * @example
 * ```js
 * import { endWithParent } from "atexit/resources";
 *
 * endWithParent({ stdin: false });
 * ```
 */
export function endWithParent(options: ParentOptions = {}): Disposable & { stop(): void } {
  return blameCaller(endWithParent, () => watchParent(options));
}

/**
 * Ends a worker thread, or a pool of them, after its own cleanups have run:
 * `worker.terminate()` ends a thread without a word to it.
 *
 * - Every exit that JavaScript sees, and `close()`: the worker is asked, and
 *   cleans up what it has registered itself; after `grace` it is terminated.
 * - SIGKILL and the like: it ends with the process; its recipes are carried out.
 *
 * A worker that blocks its event loop hears nothing: piscina's do while they are
 * idle, but with `{ atomics: "disabled" }`.
 *
 * @param workerOrPool a `Worker`, or a pool that shows its `threads`, as piscina and tinypool do
 * @param options how long it may take, in milliseconds
 * @throws an error with the code `ERR_ATEXIT_OPTION` or `ERR_ATEXIT_TIME`
 * @example
 * ```js
 * import { worker } from "atexit/resources";
 * import { Worker } from "node:worker_threads";
 *
 * const thread = worker(new Worker("setInterval(() => {}, 1000)", { eval: true }));
 * await thread.close();
 * ```
 */
export function worker(workerOrPool: Worker | WorkerPool, options: WorkerOptions = {}): Closing {
  return blameCaller(worker, () =>
    isPool(workerOrPool)
      ? destroyPoolAtExit(worker, workerOrPool, options)
      : terminateWorkerAtExit(worker, workerOrPool, options),
  );
}

/**
 * Ends the workers of this process's cluster: at exit, and on `close()`, each is
 * asked once, by a signal, waited for, and after `grace` killed.
 *
 * @param options the signal (`SIGTERM` by default), and how long it may take, in milliseconds (5,000 by default)
 * @throws an error with the code `ERR_ATEXIT_OPTION` in a worker, `ERR_ATEXIT_SIGNAL` or `ERR_ATEXIT_TIME`
 * @example
 * ```js
 * import { clusterWorkers } from "atexit/resources";
 *
 * const workers = clusterWorkers({ grace: 3_000 });
 * await workers.close();
 * ```
 */
export function clusterWorkers(options: ClusterOptions = {}): Closing {
  return blameCaller(clusterWorkers, () => endClusterAtExit(clusterWorkers, options));
}

/**
 * Ends a server without failing its clients: HTTP, HTTPS, HTTP/2, or plain `net`.
 *
 * At exit, and on `close()`, it goes on serving for `drainDelay`; then it takes
 * no new connection, answers the requests it has accepted with `Connection: close`
 * (on HTTP/2: GOAWAY), and ends idle connections. Connections that are left when
 * `grace` is over are cut; `close()` tells how many those were.
 *
 * After SIGKILL and the like its connections are cut by the system.
 *
 * @param httpServer a server that listens, or will; before it has a client
 * @param options times in milliseconds, and what to say on connections that speak another language
 * @throws an error with the code `ERR_ATEXIT_TIME`
 * @example
 * ```js
 * import { server } from "atexit/resources";
 * import { createServer } from "node:http";
 *
 * const http = createServer((request, response) => response.end("hello"));
 * http.listen(0, "127.0.0.1");
 * const leaving = server(http, { drainDelay: 0 });
 * await leaving.close();
 * ```
 */
export function server(httpServer: Server, options: ServerOptions = {}): ServerClosing {
  return blameCaller(server, () => drainAtExit(server, httpServer, options));
}

/**
 * Closes a resource at exit, or by `close()`, once. Well-known clients are closed
 * in the way that waits for what they are doing ({@link waysToClose}).
 *
 * - Every exit that JavaScript sees: it is closed and waited for.
 * - SIGKILL and the like: the system closes its connections.
 *
 * @param resource a pool, a client, a server, a stream, or whatever has one of the usual methods
 * @param close how it is closed, where no usual method is the right one
 * @throws an error with the code `ERR_ATEXIT_CANNOT_CLOSE` where no way is known
 * @example
 * ```js
 * import { closing } from "atexit/resources";
 * import { createWriteStream } from "node:fs";
 *
 * const stream = createWriteStream("/dev/null");
 * closing(stream);
 * ```
 */
export function closing<T extends object>(resource: T, close?: (resource: T) => unknown): Closing;
/**
 * Closes a resource, with a name and a timeout of its own.
 *
 * @param options the name that reports give it, and how long to wait, in milliseconds
 * @param resource what is closed
 * @param close how it is closed, where no usual method is the right one
 * @example
 * ```js
 * import { closing } from "atexit/resources";
 *
 * const pool = { drain: async () => {} };
 * closing({ name: "pool", timeout: 2_000 }, pool, (pool) => pool.drain());
 * ```
 */
export function closing<T extends object>(
  options: { name?: string; timeout?: number },
  resource: T,
  close?: (resource: T) => unknown,
): Closing;
export function closing(first: object, second?: unknown, third?: unknown): Closing {
  const [options, resource, close] = hasOptions(first, second, third)
    ? [first, second as object, third]
    : [{}, first, second];
  return blameCaller(closing, () =>
    closeAtExit(closing, resource, options, close as ((resource: object) => unknown) | undefined),
  );
}

/** Tells the two forms of {@link closing} apart: some clients are functions, as knex and postgres.js are. */
function hasOptions(first: object, second: unknown, third: unknown): boolean {
  if (third !== undefined || (typeof second === "object" && second !== null)) return true;
  return typeof second === "function" && isKnownToClose(second) && !isKnownToClose(first);
}

/**
 * The ways in which {@link closing} closes resources, in the order in which they
 * are tried: to look up what it does to a client.
 *
 * @example
 * ```js
 * import { waysToClose } from "atexit/resources";
 *
 * for (const { of, call } of waysToClose) console.log(of, String(call));
 * ```
 */
export const waysToClose: readonly WayToClose[] = ways;
