// The handle that register() returns: it can run the cleanup now, or cancel it.
//
//   registered --run(), end of scope, shutdown--> running --ends--> gone
//   registered --cancel(), unregister(), clear()-----------------> gone
//
// How it runs is in running.ts, which is loaded when the first one does.

import type { CallSite } from "./call-site.js";
import type { Channels, Outcome } from "./channels.js";
import ending from "./ending.js" with { type: "late" };
import type { AnyFunction, Entry, Stack } from "./stack.js";

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
export interface About extends CleanupOptions {
  site?: CallSite;
  /** Of a durable cleanup: its journal's name and its number there. */
  durable?: string;
  /** Settles when it has ended, and never rejects: once it runs, and is asynchronous. */
  ending?: Promise<void>;
}

/** The stack of one thread, with what its registrations share. */
export interface RegistrationStack extends Stack<Registration> {
  /** How many are running: still in the stack, since those below wait for them. */
  running: number;
  /** The one that a shutdown is at. */
  current: Registration | undefined;
  /** Where whoever looks is told of them, once any has run. */
  channels: Channels | undefined;
}

type State = "registered" | "running" | "gone";

/** What most cleanups are registered with: one array for all of them. */
const NO_ARGUMENTS: readonly unknown[] = Object.freeze([]);

/** One cleanup on the stack. */
export class Registration implements Entry, Disposable, AsyncDisposable {
  /** That of the thread, and so no field of each: what a million registrations cost is their bytes. */
  static stack: RegistrationStack;

  older: Entry | undefined;
  newer: Entry | undefined;
  readonly fn: AnyFunction;
  readonly args: readonly unknown[];
  state: State;
  about: About | undefined;

  constructor(fn: AnyFunction, args: readonly unknown[], about: About | undefined) {
    this.older = undefined;
    this.newer = undefined;
    this.fn = fn;
    this.args = args.length === 0 ? NO_ARGUMENTS : args;
    this.state = "registered";
    this.about = about;
  }

  /** What reports and traces call it. */
  get title(): string {
    return this.about?.name ?? (this.fn.name || "(anonymous)");
  }

  run(): unknown {
    return ending().run(this);
  }

  cancel(): boolean {
    if (this.state !== "registered") return false;
    this.state = "gone";
    Registration.stack.remove(this);
    this.about?.onCancel?.();
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
export function unfinished({ about }: Registration): Outcome {
  return about?.durable === undefined ? "given up" : "left to the guard";
}

/** What is known, and more; options may be an object with getters and methods of its own. */
export function beside(known: About | undefined, more: About): About {
  return known === undefined ? more : Object.assign(Object.create(known) as About, more);
}
