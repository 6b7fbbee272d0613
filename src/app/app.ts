// A service from its start to its end.
//
//   lock -> run written down -> log -> what the program adds -> ready
//   and back, in the other order, on every way out

import { clearInterval, now, setInterval, timeOfDay } from "../platform/node-builtins.ts";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { configure, count, exit, exiting, register } from "../index.ts";
import {
  closing,
  type LockFile,
  LockHeldError,
  lockFile,
  type LogFile,
  logFile,
  server as leavingServer,
} from "../resources/index.ts";
import { appError } from "../errors/app.ts";
import { begin, end, type LostRun } from "./previous-run.ts";
import { type Places, placesOf } from "./files.ts";
import { nextHandedOver } from "./handed-over-sockets.ts";
import { answer, type Health, type ProbeOptions, probeServer } from "./probes.ts";
import { ServiceManager, watchdogOf } from "./systemd-notify.ts";
import { environment, process } from "../platform/process.ts";

/** Options of an application. */
export interface StartOptions {
  /**
   * The directory of its lock, its log and its state. By default systemd's
   * `STATE_DIRECTORY`, or `$XDG_STATE_HOME/<name>`, or `~/.local/state/<name>`.
   */
  dir?: string;
  /** The lock file, or `false` where several instances may run. By default `<dir>/<name>.lock`. */
  lock?: string | false;
  /**
   * The log file, or `false` for none: `log()` prints then. By default
   * `<name>.log` in systemd's `LOGS_DIRECTORY`, or in `dir`.
   */
  log?: string | false;
  /** Whether each line of the log begins with the time, as ISO 8601. By default it does not. */
  timestamps?: boolean;
  /** How long to wait for another instance to end, in milliseconds. By default not at all. */
  wait?: number;
  /**
   * Whether a second instance says so and ends with code 1, or `start` rejects
   * with the `LockHeldError`. By default `"exit"`.
   */
  ifRunning?: "exit" | "throw";
  /** How long servers go on serving at a shutdown, in milliseconds. By default 5,000 in Kubernetes, and 0 elsewhere. */
  drainDelay?: number;
  /** Where Kubernetes' probes are answered. By default nowhere: see {@link App.probe}. */
  probes?: ProbeOptions;
  /** Whether neither its start nor its end is printed on stdout. By default both are. */
  quiet?: boolean;
}

/** Options of a server. */
export interface ServeOptions {
  /** The port. By default the next socket that systemd has handed over (`LISTEN_FDS`), or else any free port. */
  port?: number;
  /** The address to listen on. By default all. */
  host?: string;
  /** How long the server goes on serving at a shutdown, in milliseconds. By default as the application. */
  drainDelay?: number;
  /** How long answers may take after that, in milliseconds. By default as `server()` has it. */
  grace?: number;
  /** Called for each connection that was upgraded (WebSocket), to say good-bye in its own language. */
  upgraded?: (socket: Socket) => void;
}

/** An application that has started. */
export interface App extends AsyncDisposable {
  readonly name: string;
  /** The run before this one, if its end was not seen: it was killed, or lost its power. */
  readonly lost: LostRun | undefined;
  /** The path of the log, if there is one. */
  readonly logPath: string | undefined;
  /** Writes a line into the log. */
  log(line: string): void;
  /**
   * Closes a resource at the end, in its own way, or by the function `close`.
   *
   * @returns the resource
   */
  use<T extends object>(resource: T, close?: (resource: T) => unknown): T;
  /**
   * Lets a server listen, and drains it at the end.
   *
   * @returns where it listens; rejects with the system's error
   */
  serve(server: Server, options?: ServeOptions): Promise<AddressInfo>;
  /** Answers a probe of Kubernetes on a server of your own. @returns whether the request was one */
  probe(request: IncomingMessage, response: ServerResponse): boolean;
  /** Tells systemd, Kubernetes and PM2 that requests are wanted, once every server listens. */
  ready(): Promise<void>;
  /** Sends systemd a line about the state of the application. */
  status(text: string): void;
  /** Ends the application, and not the process: closes all that was added, last in, first out. */
  close(): Promise<void>;
}

type Handle = { run(): unknown };

const IN_KUBERNETES_DRAIN = 5_000;

/** How often systemd is told that a shutdown goes on, and how much time each message asks for, in milliseconds. */
const EXTEND_EVERY = 1_000;
const EXTEND_BY = 5_000;

/** Returns the part of a supervisor's patience that is left unused, in milliseconds. */
const marginOf = (patience: number) => Math.min(5_000, Math.max(1_000, patience / 10));

export async function startApp(name: unknown, options: StartOptions): Promise<App> {
  if (typeof name !== "string" || !/^[\w-][\w.-]*$/.test(name)) throw appError("ERR_ATEXIT_NAME", name);
  keepWithin(environment()["TERMINATION_GRACE_PERIOD_SECONDS"]);
  const places = placesOf(name, {
    dir: options.dir,
    lock: options.lock === false ? undefined : options.lock,
    log: options.log === false ? undefined : options.log,
  });
  const app = new StartedApp(name, places, options);
  try {
    await app.start();
  } catch (error) {
    if (!(error instanceof LockHeldError) || options.ifRunning === "throw") throw error;
    const { pid, life, state, message } = error;
    const advice = isOfPm2Cluster() ? PM2_ADVICE : "";
    process.stderr.write(
      `App already running (PID ${pid ?? "unknown"})\n${life === "alive" ? state : message}\n${advice}`,
    );
    exit(1);
  }
  return app;
}

/** PM2's cluster mode has several instances, and its reload starts the next one before the last one ends. */
const PM2_ADVICE = `PM2 would start it again and again. In its cluster mode several instances run at a time: start(name, { lock: false }).\n`;

/** Whether PM2 has started this process in its cluster mode. Source: https://pm2.keymetrics.io/docs/usage/environment/ */
function isOfPm2Cluster(): boolean {
  const { pm_id: id, exec_mode: mode } = environment();
  return id !== undefined && mode === "cluster_mode";
}

/** Fits the grace period into a supervisor's patience; the operator's ATEXIT_GRACE overrides it. */
function keepWithin(seconds: string | undefined): void {
  const patience = Number(seconds) * 1_000;
  if (seconds === undefined || !(patience > 0)) return;
  configure({ grace: Math.max(0, patience - marginOf(patience)) });
}

class StartedApp implements App, Health {
  readonly name: string;
  lost: LostRun | undefined;
  isReady = false;
  isLeaving = false;
  readonly #places: Places;
  readonly #options: StartOptions;
  readonly #startedAt = now();
  readonly #handles: Handle[] = [];
  readonly #listening: Promise<unknown>[] = [];
  #log: LogFile | undefined;
  #manager: ServiceManager | undefined;
  #askingForTime: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(name: string, places: Places, options: StartOptions) {
    this.name = name;
    this.#places = places;
    this.#options = options;
  }

  get logPath(): string | undefined {
    return this.#log?.path;
  }

  /** Starts all parts, and registers each cleanup the moment its resource is there. */
  async start(): Promise<void> {
    const { lock, log, probes, wait = 0 } = this.#options;
    if (lock !== false) this.#hold(await lockFile(this.#places.lock, { wait }));
    if (log !== false) this.#open();
    this.#tellManager();
    exiting.addEventListener("abort", this.#leave, { once: true });
    if (probes !== undefined) await this.#answerProbes(probes);
  }

  #hold(lock: LockFile): void {
    this.#print(`Lock acquired: ${lock.path}`);
    this.#add({ name: `${this.name}: the lock` }, () => {
      lock.release();
      const uptime = (now() - this.#startedAt) / 1_000;
      this.#print(`Lock released. Uptime: ${uptime.toFixed(1)}s`);
    });
    // Only a single instance can tell how the last run ended, so without a lock none does.
    this.lost = begin(this.#places.run);
    this.#add({ name: `${this.name}: the run` }, () => end(this.#places.run));
  }

  #open(): void {
    const log = logFile(this.#places.log);
    this.#log = log;
    this.#print(`Log opened: ${log.path}`);
    this.#add({ name: `${this.name}: the log` }, () => {
      this.log(`=== ${this.name} stopped ===`);
      log.close();
      this.#log = undefined;
      this.#print("Log closed.");
    });
    if (this.lost !== undefined) this.log(describeLost(this.name, this.lost));
    this.log(`=== ${this.name} started ===`);
  }

  #tellManager(): void {
    const address = environment()["NOTIFY_SOCKET"];
    if (address === undefined || address === "") return;
    const manager = new ServiceManager(address);
    this.#manager = manager;
    const period = watchdogOf(environment());
    const watchdog =
      period === undefined
        ? undefined
        : setInterval(() => void manager.notify({ WATCHDOG: 1 }), period / 2 / 1_000).unref();
    // The manager's cleanup is registered first, so it runs last.
    this.#add({ name: `${this.name}: the service manager`, timeout: 2_500 }, async () => {
      await manager.flushed();
      clearInterval(watchdog);
    });
  }

  async #answerProbes({ port, host }: ProbeOptions): Promise<void> {
    const server = probeServer(this);
    this.#add({ name: `${this.name}: the probes` }, () => {
      server.close();
      server.closeAllConnections();
    });
    server.listen(port, host);
    await once(server, "listening");
  }

  log(line: string): void {
    const stamped = this.#options.timestamps === true ? `${new Date(timeOfDay()).toISOString()} ${line}` : line;
    if (this.#log !== undefined) this.#log.write(stamped);
    else process.stdout.write(`${stamped}\n`);
  }

  use<T extends object>(resource: T, close?: (resource: T) => unknown): T {
    this.#refuseIfLeaving();
    this.#keep(closing(resource, close));
    return resource;
  }

  async serve(server: Server, { port, host, ...options }: ServeOptions = {}): Promise<AddressInfo> {
    this.#refuseIfLeaving();
    const { drainDelay = environment()["KUBERNETES_SERVICE_HOST"] === undefined ? 0 : IN_KUBERNETES_DRAIN } =
      this.#options;
    this.#keep(leavingServer(server, { drainDelay, ...options }));
    const fd = port === undefined && host === undefined ? nextHandedOver() : undefined;
    if (fd === undefined) server.listen(port ?? 0, host);
    else server.listen({ fd });
    const listening = once(server, "listening");
    this.#listening.push(listening);
    await listening;
    return server.address() as AddressInfo;
  }

  probe(request: IncomingMessage, response: ServerResponse): boolean {
    return answer(this, request, response);
  }

  async ready(): Promise<void> {
    await Promise.all(this.#listening);
    if (this.isReady || this.isLeaving) return;
    this.isReady = true;
    process.send?.("ready"); // PM2's wait_ready
    await this.#manager?.notify({ READY: 1, MAINPID: process.pid });
  }

  status(text: string): void {
    void this.#manager?.notify({ STATUS: text });
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    exiting.removeEventListener("abort", this.#leave);
    this.#leave();
    for (let handle = this.#handles.pop(); handle !== undefined; handle = this.#handles.pop()) await handle.run();
    clearInterval(this.#askingForTime);
  }

  /** Marks the application as leaving, as soon as its end is known, and before anything is closed. */
  readonly #leave = (): void => {
    this.isLeaving = true;
    const manager = this.#manager;
    if (manager === undefined) return;
    void manager.notify({ STOPPING: 1 });
    const latest = now() + configure({}).grace;
    let before = count();
    // A blocked event loop asks for no more time; nor does a shutdown with nothing left to wait for.
    this.#askingForTime = setInterval(() => {
      const left = count();
      if (now() >= latest) return clearInterval(this.#askingForTime);
      const progress = left < before ? `, ${before - left} done in the last second` : "";
      before = left;
      void manager.notify({
        EXTEND_TIMEOUT_USEC: EXTEND_BY * 1_000,
        STATUS: `${left} cleanups left${progress}`,
      });
    }, EXTEND_EVERY).unref();
  };

  #refuseIfLeaving(): void {
    if (this.isLeaving) throw appError("ERR_ATEXIT_ALREADY_LEAVING", this.name);
  }

  #add(options: { name: string; timeout?: number }, fn: () => unknown): void {
    this.#handles.push(register(options, fn));
  }

  #keep(handle: { close(): Promise<unknown> }): void {
    this.#handles.push({ run: () => handle.close() });
  }

  #print(line: string): void {
    if (this.#options.quiet !== true) process.stdout.write(`[${this.name}] ${line}\n`);
  }
}

function describeLost(name: string, { pid, since, rebooted }: LostRun): string {
  const who = pid === undefined ? "" : ` (PID ${pid}${since === undefined ? "" : `, started ${since.toISOString()}`})`;
  return rebooted
    ? `=== ${name} was cut off: the machine stopped${who} ===`
    : `=== ${name} was killed${who}: its end was seen by nobody ===`;
}
