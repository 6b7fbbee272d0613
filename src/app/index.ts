// The public API of `atexit/app`: a service that starts once and ends cleanly.

/// <reference lib="esnext.disposable" preserve="true" />

import { type App, type ServeOptions, startApp, type StartOptions } from "./app.ts";

export type { AppErrorCode } from "../errors/app.ts";
export type { LostRun } from "./previous-run.ts";
export type { ProbeOptions } from "./probes.ts";
export type { App, ServeOptions, StartOptions };

/**
 * Starts an application: of all processes that start it, one at a time runs.
 * Its log is opened, systemd, Kubernetes and PM2 are told what they want to
 * know, and all of it is taken back, last in, first out, on every way out.
 *
 * - Every exit that JavaScript sees: what was added is closed, the log gets its
 *   last line, and the lock is released.
 * - SIGKILL, a crash, power loss: the next start runs at once, and its log says
 *   that the end of the last run was not seen.
 *
 * A second instance prints `App already running (PID …)` and ends with code 1.
 *
 * @param name what it is called, in its messages and its files' names
 * @param options where its files are, how long servers drain, where probes are answered
 * @throws (rejects with) an error with the code `ERR_ATEXIT_NAME`,
 *   `ERR_ATEXIT_STATE_DIRECTORY` or `ERR_ATEXIT_LOG`, or the system's; with `ifRunning: "throw"` a `LockHeldError`
 * @example
 * ```js
 * import { start } from "atexit/app";
 * import { createServer } from "node:http";
 *
 * const app = await start("myapp", { dir: "state" });
 * app.serve(createServer((request, response) => response.end("hello")), { host: "127.0.0.1" });
 * await app.ready();
 * app.log("Processed 42 requests");
 * process.exit();
 * ```
 */
export function start(name: string, options: StartOptions = {}): Promise<App> {
  return startApp(name, options);
}
