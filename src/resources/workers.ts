// Worker threads whose own cleanups run before they are ended, and the workers
// of a cluster.

import type { Cluster, Worker as ClusterWorker } from "node:cluster";
import type { Worker } from "node:worker_threads";
import { builtin, clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { canListen } from "../platform/signal-list.ts";
import { type Answer, CHANNEL, type Question } from "../exits/worker-shutdown-request.ts";
import { exiting, type Registration } from "../index.ts";
import { coreError } from "../errors/core.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { resourceError } from "../errors/resources.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { process } from "../platform/process.ts";

/** Options for the end of workers. */
export interface WorkerOptions {
  /** How long a worker's own cleanups may take, in milliseconds. 2,000 by default. */
  grace?: number;
}

/** Workers that are ended with this process. */
export interface Closing extends AsyncDisposable {
  /** Ends them now; a second call waits for the same end. */
  close(): Promise<void>;
}

/** A pool that shows its threads: piscina's and tinypool's. */
export interface WorkerPool {
  readonly threads: readonly (Worker | { readonly threadId?: number })[];
  destroy(): Promise<void>;
}

const DEFAULT_GRACE = 2_000;

/** How long an unknown thread may take to answer, in milliseconds. */
const ANSWER_WITHIN = 200;

type State = Answer["is"] | "unknown";

/** The states that workers have told, received while a caller uses them. */
class Answers {
  readonly #states = new Map<number, State>();
  readonly #waiting = new Map<number, () => void>();
  readonly #channel: InstanceType<typeof import("node:worker_threads").BroadcastChannel>;
  #users = 0;

  constructor() {
    const { BroadcastChannel } = process.getBuiltinModule("worker_threads");
    this.#channel = new BroadcastChannel(CHANNEL);
    this.#channel.onmessage = (event) => {
      const { from, is } = (event as { data: Answer }).data;
      this.#states.set(from, is);
      this.#waiting.get(from)?.();
    };
    this.#channel.unref();
  }

  ask(to: number, ask: Question["ask"]): void {
    this.#channel.postMessage({ ask, to } satisfies Question);
  }

  stateOf(thread: number): State {
    return this.#states.get(thread) ?? "unknown";
  }

  /** Resolves with whether a thread comes into such a state within the time. */
  until(thread: number, isSo: (state: State) => boolean, limit: number): Promise<boolean> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo(this.stateOf(thread))) return;
        over(true);
      };
      const over = (result: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(thread);
        resolve(result);
      };
      const timer = setTimeout(() => over(false), limit);
      this.#waiting.set(thread, look);
      look();
    });
  }

  use(): this {
    this.#users += 1;
    return this;
  }

  unuse(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#channel.close();
    answers = undefined;
  }
}

let answers: Answers | undefined;

function listening(): Answers {
  answers ??= new Answers();
  return answers.use();
}

/** @throws an error with the code `ERR_ATEXIT_OPTION` for what is neither a worker nor a pool */
export function isPool(given: Worker | WorkerPool): given is WorkerPool {
  const { threads, destroy, threadId, terminate } = Object(given) as Partial<WorkerPool & Worker>;
  if (Array.isArray(threads) && typeof destroy === "function") return true;
  if (typeof threadId === "number" && typeof terminate === "function") return false;
  throw resourceError("ERR_ATEXIT_OPTION", "What to end", given, "a Worker, or a pool that shows its threads");
}

export function terminateWorkerAtExit(
  callee: Callee,
  worker: Worker,
  { grace = DEFAULT_GRACE }: WorkerOptions,
): Closing {
  checkTime("grace", grace);
  const heard = listening();
  const { threadId } = worker;
  heard.ask(threadId, "who");
  let isOver = false;
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  void exited.then(() => {
    isOver = true;
    heard.unuse();
    registration.cancel();
  });
  const registration = registerForCaller(callee, { name: `worker ${threadId}` }, async () => {
    if (isOver) return;
    heard.ask(threadId, "end");
    if (await hasStack(heard, threadId)) await within(exited, grace);
    if (!isOver) await worker.terminate();
  });
  return closingHandle(registration);
}

export function destroyPoolAtExit(callee: Callee, pool: WorkerPool, { grace = DEFAULT_GRACE }: WorkerOptions): Closing {
  checkTime("grace", grace);
  const heard = listening();
  const ask = (question: Question["ask"]) => idsOf(pool).map((id) => (heard.ask(id, question), id));
  ask("who");
  const registration = registerForCaller(callee, { name: "worker pool" }, async () => {
    // A pool replaces a thread that ends, so its threads only clean up.
    const cleaned = ask("clean").map(async (id) => {
      if (await hasStack(heard, id)) await heard.until(id, (state) => state !== "filled", grace);
    });
    await Promise.all(cleaned);
    await pool.destroy();
    heard.unuse();
  });
  return closingHandle(registration);
}

function idsOf(pool: WorkerPool): number[] {
  return pool.threads.map((thread) => thread.threadId ?? -1).filter((id) => id > 0);
}

/** Reports whether the thread has something registered, as far as it has told, or tells soon. */
async function hasStack(heard: Answers, thread: number): Promise<boolean> {
  await heard.until(thread, (state) => state !== "unknown", ANSWER_WITHIN);
  return heard.stateOf(thread) === "filled" || heard.stateOf(thread) === "clean";
}

/** Options for the end of a cluster's workers. */
export interface ClusterOptions extends WorkerOptions {
  /** The signal that asks a worker. `SIGTERM` by default. */
  signal?: NodeJS.Signals;
}

export function endClusterAtExit(callee: Callee, { grace = 5_000, signal = "SIGTERM" }: ClusterOptions): Closing {
  checkTime("grace", grace);
  if (signal !== "SIGKILL" && !canListen(signal)) throw coreError("ERR_ATEXIT_SIGNAL", signal);
  const cluster = process.getBuiltinModule("cluster") as unknown as Cluster;
  if (!cluster.isPrimary)
    throw resourceError("ERR_ATEXIT_OPTION", "This process", "a worker", "the primary of a cluster");
  const registration = registerForCaller(callee, { name: "cluster" }, async () => {
    const workers = Object.values(cluster.workers ?? {});
    await Promise.all(workers.map(async (worker) => worker && endOf(worker, signal, grace)));
  });
  return closingHandle(registration);
}

async function endOf(worker: ClusterWorker, signal: NodeJS.Signals, grace: number): Promise<void> {
  const { process: child } = worker;
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  worker.exitedAfterDisconnect = true; // the program then starts no other worker for it
  if (!hasAllBeenAsked()) child.kill(signal);
  if (await within(exited, grace)) return;
  child.kill("SIGKILL");
  await exited;
}

/** Reports whether the key that ends this process has ended the workers, too: a second signal would kill them. */
function hasAllBeenAsked(): boolean {
  const { signal } = exiting.reason ?? {};
  const isKey = signal === "SIGINT" || signal === "SIGQUIT" || signal === "SIGHUP";
  return isKey && [0, 1, 2].some((fd) => builtin("tty").isatty(fd));
}

/** Reports whether a promise resolves within the time. */
async function within(promise: Promise<void>, limit: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limit);
  });
  try {
    return await Promise.race([promise.then(() => true), over]);
  } finally {
    clearTimeout(timer);
  }
}

export function closingHandle(registration: Registration<Promise<void>>): Closing {
  let closing: Promise<void> | undefined;
  const close = async () => {
    closing ??= Promise.resolve(registration.run());
    await closing;
  };
  return { close, [Symbol.asyncDispose]: close };
}
