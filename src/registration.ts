// The handle that register() returns: it can run the cleanup now, or cancel it.
//
//   registered --run(), end of scope, shutdown--> running --ends--> gone
//   registered --cancel(), unregister(), clear()-----------------> gone

import type { CallSite } from "./call-site.js";
import type { Channels } from "./channels.js";
import { endOf, innermost, insideOf, isInside, SHUTDOWN } from "./context.js";
import { type AnyFunction, Entry, type Stack } from "./stack.js";

/** What may be said about a cleanup at its registration. */
export interface CleanupOptions {
  /** What reports and traces call it. By default the function's name. */
  name?: string;
  /** How long to wait for its promise, in milliseconds. `0` calls it and does not wait. */
  timeout?: number;
  /** Called when the cleanup is cancelled, by whatever means: for what else was prepared for it. */
  onCancel?: () => void;
}

/** What is known of a cleanup beside its function, in one object: of most of a million nothing is. */
interface About extends CleanupOptions {
  site?: CallSite;
  /** Of a durable cleanup: its journal's name and its number there. */
  durable?: string;
  ending?: Promise<void>;
}

/** The stack of one thread, with what its registrations share. */
export interface RegistrationStack extends Stack<Registration> {
  /** How many are running: still in the stack, since those below wait for them. */
  running: number;
  /** The one that a shutdown is at. */
  current: Registration | undefined;
  /** Where whoever looks is told of them. */
  readonly channels: Channels;
}

type State = "registered" | "running" | "gone";

/** What most cleanups are registered with: one array for all of them. */
const NO_ARGUMENTS: readonly unknown[] = Object.freeze([]);

/** One cleanup on the stack. */
export abstract class Registration extends Entry implements Disposable, AsyncDisposable {
  /** The thread's, and so no field of each: what a million registrations cost is their bytes. */
  protected abstract get stack(): RegistrationStack;

  #state: State = "registered";
  readonly #args: readonly unknown[];
  #about: About | undefined;

  constructor(
    fn: AnyFunction,
    args: readonly unknown[],
    options: CleanupOptions | undefined,
    site: CallSite | undefined,
  ) {
    super(fn);
    this.#args = args.length === 0 ? NO_ARGUMENTS : args;
    this.#about = site === undefined ? options : beside(options, { site });
  }

  get name(): string | undefined {
    return this.#about?.name;
  }

  /** What reports and traces call it. */
  get title(): string {
    return this.name ?? (this.fn.name || "(anonymous)");
  }

  get timeout(): number | undefined {
    return this.#about?.timeout;
  }

  get site(): CallSite | undefined {
    return this.#about?.site;
  }

  get durable(): string | undefined {
    return this.#about?.durable;
  }

  /** Whether it is on the stack. */
  get linked(): boolean {
    return this.stack.has(this);
  }

  get state(): State {
    return this.#state;
  }

  /** Settles when a running cleanup has ended, and never rejects; `undefined` while it is synchronous. */
  get ending(): Promise<void> | undefined {
    return this.#about?.ending;
  }

  run(): unknown {
    if (this.#state === "gone") return undefined;
    if (this.#state === "running") return this.isRunningHere ? Promise.resolve() : this.ending;
    const outer = this.stack.channels.look() ? this.#outer() : undefined;
    try {
      return insideOf(this, () => this.start(undefined, outer));
    } finally {
      if (this.ending === undefined) endOf();
      else void this.ending.then(endOf);
    }
  }

  cancel(): boolean {
    if (this.#state !== "registered") return false;
    this.#state = "gone";
    this.stack.remove(this);
    this.#about?.onCancel?.();
    return true;
  }

  [Symbol.dispose](): void {
    this.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run();
  }

  /** What `console.log` shows: not the whole stack, which hangs on it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Registration { ${this.title}: ${this.#state} }`;
  }

  /**
   * Calls the cleanup, in whatever context this is. It leaves the stack when it
   * has ended, its promise included.
   *
   * @param limit how long a shutdown gives it, in milliseconds
   * @param outer the cleanup that runs it, for those who look
   * @returns what the cleanup returns
   * @throws what the cleanup throws
   */
  start(limit?: number, outer?: Registration): unknown {
    this.#state = "running";
    this.stack.running += 1;
    const { channels } = this.stack;
    const isWatched = channels.areWatched;
    let result: unknown;
    let promised: boolean;
    try {
      result = isWatched ? channels.call(this, limit, outer, () => this.#call()) : this.#call();
      promised = isPromise(result);
    } catch (error) {
      if (isWatched) channels.returned(this, undefined);
      this.abandon();
      throw error;
    }
    if (!promised) {
      if (isWatched) channels.returned(this, undefined);
      this.abandon();
      return result;
    }
    const promise = Promise.resolve(result);
    if (isWatched) channels.returned(this, promise);
    const ended = () => this.abandon();
    this.#about = beside(this.#about, { ending: promise.then(ended, ended) });
    // A promise of its own for the caller: a rejection that the caller ignores must not pass for handled.
    return promise.then((value) => value);
  }

  /** The cleanup that this code is part of. */
  #outer(): Registration | undefined {
    const mark = innermost();
    return mark === SHUTDOWN ? this.stack.current : (mark as Registration | undefined);
  }

  #call(): unknown {
    const fn = this.fn as (...args: readonly unknown[]) => unknown;
    return fn(...this.#args);
  }

  /** Takes it out of the stack: it has ended, or nobody waits for it any longer. */
  abandon(): void {
    if (this.#state === "running") this.stack.running -= 1;
    this.#state = "gone";
    this.stack.remove(this);
  }

  /** Whether this code is part of this very cleanup: to wait for its end here would be to wait for ever. */
  get isRunningHere(): boolean {
    return isInside(this) || (this.stack.current === this && isInside(SHUTDOWN));
  }
}

/** What is known, and more; options may be an object with getters and methods of its own. */
function beside(known: About | undefined, more: About): About {
  return known === undefined ? more : Object.assign(Object.create(known) as About, more);
}

/** Whether a cleanup's result has to be waited for. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}
