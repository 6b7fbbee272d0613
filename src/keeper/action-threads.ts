// Threads in which actions are carried out, one action at a time in each: an action
// that blocks stops no heartbeat and no other owner's cleanups, and one that takes
// too long is ended with its thread.

import type { Worker } from "node:worker_threads";
import type { Clock } from "../lease/clock.ts";
import { packageFile } from "../platform/package-files.ts";
import { process } from "../platform/process.ts";
import type { Answered } from "./action-program.ts";
import type { AskedAction } from "./actions.ts";
import type { Attempted } from "./owner-run.ts";

export class ActionThreads {
  readonly #module: string;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #idle: Worker[] = [];
  readonly #busy = new Set<Worker>();
  #names: ReadonlySet<string> = new Set();
  readonly #waiting: { readonly resolve: (worker: Worker) => void; readonly reject: (error: Error) => void }[] = [];
  /** How many are to be there before they are needed. */
  #prepared = 0;
  #isStarting = false;
  #isClosed = false;

  private constructor(module: string, timeout: number, clock: Clock) {
    this.#module = module;
    this.#timeout = timeout;
    this.#clock = clock;
  }

  /**
   * @param timeout how long one action may take, in milliseconds
   * @throws (rejects with) what loading the module throws; a `TypeError` with the code `ERR_ATEXIT_ACTIONS`
   */
  static async start(module: string, timeout: number, clock: Clock): Promise<ActionThreads> {
    const threads = new ActionThreads(module, timeout, clock);
    threads.#idle.push(await threads.#start());
    return threads;
  }

  has(action: string): boolean {
    return this.#names.has(action);
  }

  /** Starts so many, one after another, as work for them is coming. */
  prepare(count: number): void {
    if (count <= this.#prepared) return;
    this.#prepared = count;
    void this.#startForWaiting();
  }

  /** Carries an action out; never rejects. */
  async carryOut(asked: AskedAction): Promise<Attempted> {
    let worker: Worker;
    try {
      worker = await this.#idleOne();
    } catch (error) {
      return { outcome: "failed", error: `the actions cannot be loaded: ${(error as Error).message}` };
    }
    this.#busy.add(worker);
    worker.ref();
    try {
      const answered = await this.#ask(worker, asked);
      this.#busy.delete(worker);
      this.#nowIdle(worker);
      return answered as Attempted; // its names were the first answer
    } catch (error) {
      this.#busy.delete(worker);
      await worker.terminate();
      void this.#startForWaiting();
      return { outcome: "failed", error: (error as Error).message };
    }
  }

  /** A thread that has nothing to do: one that is there, or the next that has, or a new one. */
  #idleOne(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      void this.#startForWaiting();
    });
  }

  #nowIdle(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next.resolve(worker);
    worker.unref();
    this.#idle.push(worker);
  }

  /** One at a time: many at once take all cores, and heartbeats would be late. */
  async #startForWaiting(): Promise<void> {
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#waiting.length > 0 || this.#idle.length + this.#busy.size < this.#prepared) {
      try {
        this.#nowIdle(await this.#start());
      } catch (error) {
        this.#prepared = 0; // whoever needs one asks for it, and is told
        this.#waiting.shift()?.reject(error as Error);
      }
    }
    this.#isStarting = false;
  }

  /** Ends the threads, and what they are at. */
  async terminate(): Promise<void> {
    this.#prepared = 0;
    await Promise.all([...this.#busy, ...this.#idle.splice(0)].map((worker) => worker.terminate()));
  }

  /** The same, for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.terminate();
  }

  async #start(): Promise<Worker> {
    if (this.#isClosed) throw new Error("the keeper was stopped");
    const { Worker } = process.getBuiltinModule("worker_threads");
    const worker = new Worker(packageFile("actions of a keeper"), { workerData: { module: this.#module } });
    worker.on("error", () => {}); // whoever waits is told
    worker.on("exit", () => {
      const at = this.#idle.indexOf(worker);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    try {
      const ready = await this.#ask(worker, undefined);
      if ("names" in ready) this.#names = new Set(ready.names);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    worker.unref();
    return worker;
  }

  /** Resolves with the thread's next answer; rejects where it fails, ends or takes too long. */
  #ask(worker: Worker, asked: AskedAction | undefined): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => {
        stop();
        worker.off("message", answered);
        worker.off("error", failed);
        worker.off("exit", ended);
        then();
      };
      const answered = (answer: Answered) => settle(() => resolve(answer));
      const failed = (error: Error) => settle(() => reject(error));
      const ended = () => settle(() => reject(new Error("its thread has ended")));
      const late = () => settle(() => reject(new Error(`it took more than ${this.#timeout} ms`)));
      const stop = this.#clock.after(this.#timeout, late, true);
      worker.on("message", answered);
      worker.on("error", failed);
      worker.on("exit", ended);
      if (asked !== undefined) worker.postMessage(asked);
    });
  }
}
