// The handle that register() returns: it can run the cleanup now, or cancel it.
//
//   registered --run(), end of scope, shutdown--> running --ends--> gone
//   registered --cancel(), unregister(), clear()-----------------> gone

import type { CallSite } from "./call-site.ts";
import type { Outcome } from "./outcome.ts";
import type { AnyFunction, Entry, Stack } from "./stack.ts";

/** What may be said about a cleanup at its registration. */
export interface CleanupOptions {
  /** What reports and traces call it. By default the function's name. */
  name?: string;
  /** How long it may take, in milliseconds: then its synchronous part is stopped, and its promise no longer awaited. `0` calls it and does not wait. */
  timeout?: number;
  /** Called when the cleanup is cancelled, by whatever means: for what else was prepared for it. */
  onCancel?: () => void;
}

/** Options as the durable part gives them, which knows a cleanup by more than its name. */
export interface DurableCleanupOptions extends CleanupOptions {
  /** The name of the cleanup's journal, and its number there. */
  durable?: string | undefined;
}

/** Optional data of a cleanup; `undefined` for most, to save memory when a million are registered. */
export interface CleanupMetadata {
  /** As they were given: they may have getters and methods of their own. */
  readonly options: DurableCleanupOptions | undefined;
  readonly site: CallSite | undefined;
  /** Settles when the cleanup has ended, and never rejects; set once it runs, if it is asynchronous. */
  ended?: Promise<void>;
}

/** The stack of one thread, with what its registrations share. */
export interface RegistrationStack extends Stack<Registration> {
  /** Runs a cleanup before its time. */
  run(registration: Registration): unknown;
}

type State = "registered" | "running" | "gone";

/** What most cleanups are registered with: one array for all of them. */
const NO_ARGUMENTS: readonly unknown[] = Object.freeze([]);

/** One cleanup on the stack. */
export class Registration implements Entry, Disposable, AsyncDisposable {
  older: Entry | undefined = undefined;
  newer: Entry | undefined = undefined;
  readonly fn: AnyFunction;
  readonly args: readonly unknown[];
  state: State = "registered";
  metadata: CleanupMetadata | undefined;
  readonly #stack: RegistrationStack;

  constructor(
    stack: RegistrationStack,
    fn: AnyFunction,
    args: readonly unknown[],
    metadata: CleanupMetadata | undefined,
  ) {
    this.#stack = stack;
    this.fn = fn;
    this.args = args.length === 0 ? NO_ARGUMENTS : args;
    this.metadata = metadata;
  }

  /** What reports and traces call it. */
  get title(): string {
    return this.metadata?.options?.name ?? (this.fn.name || "(anonymous)");
  }

  /** Where it was registered; unknown where thousands are registered in a second. */
  get site(): CallSite | undefined {
    return this.metadata?.site;
  }

  /** Its own timeout, in milliseconds. */
  get timeout(): number | undefined {
    return this.metadata?.options?.timeout;
  }

  /** The name of its journal and its number there, for a durable one. */
  get durable(): string | undefined {
    return this.metadata?.options?.durable;
  }

  /** Settles when it has ended, and never rejects; `undefined` where it has not begun, or is synchronous. */
  get ended(): Promise<void> | undefined {
    return this.metadata?.ended;
  }

  set ended(ended: Promise<void>) {
    this.metadata = { options: this.metadata?.options, site: this.site, ended };
  }

  run(): unknown {
    return this.#stack.run(this);
  }

  cancel(): boolean {
    if (this.state !== "registered") return false;
    this.state = "gone";
    this.#stack.remove(this);
    this.metadata?.options?.onCancel?.();
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
    return `Registration { ${this.title}: ${this.state} }`;
  }
}

/** What becomes of a cleanup for which no time is left. */
export function outcomeWhenAbandoned({ durable }: Registration): Outcome {
  return durable === undefined ? "given up" : "left to the guard";
}
