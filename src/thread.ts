// What one thread has: its stack, its settings, its shutdown, and the exits it
// watches while anything is registered. All copies of this package in a thread
// share the first one's.

import { builtin, isMainThread, setTimeout } from "./builtin.js";
import { callSite } from "./call-site.js";
import { Channels } from "./channels.js";
import { failure } from "./errors.js";
import type { Exit } from "./exit.js";
import { Exits } from "./exits/exits.js";
import { type CleanupOptions, isPromise, Registration, type RegistrationStack } from "./registration.js";
import { isObserverWanted, observer } from "./observer.js";
import { report } from "./report.js";
import { checkSettings, checkTime, defaultSettings, environmentSettings, type Settings } from "./settings.js";
import { Shutdown } from "./shutdown.js";
import { type AnyFunction, Stack } from "./stack.js";

/** Watching costs some hundred microseconds to begin: after so many beginnings in a row it lingers. */
const BEGINNINGS = 16;

/** How long it lingers, in milliseconds, when nothing is registered any more. */
const LINGER = 20;

export class Thread {
  readonly settings: Settings = defaultSettings();
  readonly stack: RegistrationStack;
  readonly shutdown: Shutdown;
  readonly exits: Exits;
  readonly #controller = new AbortController();
  readonly #Registration: new (...of: ConstructorParameters<typeof Registration>) => Registration;
  #beginnings = 0;
  #lingering: NodeJS.Timeout | undefined;
  #environmentRead = false;

  constructor() {
    const stack = new Stack<Registration>({
      filled: () => this.#watch(),
      emptied: () => this.#unwatch(),
    });
    const own: RegistrationStack = Object.assign(stack, {
      running: 0,
      current: undefined,
      channels: new Channels(),
    });
    this.stack = own;
    this.#Registration = class extends Registration {
      protected override get stack() {
        return own;
      }
    };
    this.shutdown = new Shutdown(
      this.stack,
      this.settings,
      (exit: Exit) => this.#controller.abort(exit),
      () => builtin("tty").isatty(2),
    );
    this.exits = new Exits(this.stack, this.settings, this.shutdown);
  }

  get exiting(): AbortSignal {
    return this.#controller.signal;
  }

  get count(): number {
    return this.stack.size - this.stack.running;
  }

  register(callee: AnyFunction, first: unknown, rest: readonly unknown[]): Registration {
    if (typeof first === "function") return this.add(callee, first as AnyFunction, rest, undefined);
    const fn = rest[0];
    if (typeof first !== "object" || first === null) throw failure("ERR_ATEXIT_NOT_A_FUNCTION", first);
    if (typeof fn !== "function") throw failure("ERR_ATEXIT_NOT_A_FUNCTION", fn);
    return this.add(callee, fn as AnyFunction, rest.slice(1), checkOptions(first));
  }

  /** What register() does once everything is checked. The options are kept as they are. */
  add(
    callee: AnyFunction,
    fn: AnyFunction,
    args: readonly unknown[],
    options: CleanupOptions | undefined,
  ): Registration {
    const registration = new this.#Registration(fn, args, options, callSite(callee));
    this.stack.push(registration);
    return registration;
  }

  unregister(fn: unknown): void {
    if (typeof fn !== "function") throw failure("ERR_ATEXIT_NOT_A_FUNCTION", fn);
    for (const registration of this.stack.ofFunction(fn as AnyFunction)) registration.cancel();
  }

  clear(): void {
    for (let at = this.stack.newest; at !== undefined;) {
      const older = at.older as Registration | undefined;
      at.cancel();
      at = older;
    }
  }

  run(): void | Promise<void> {
    const errors: unknown[] = [];
    const going = this.#runAll(errors);
    return going === undefined ? throwAll(errors) : going.then(() => throwAll(errors));
  }

  /** Runs cleanups until there is none, or a shutdown takes them over; goes on asynchronously after the first promise. */
  #runAll(errors: unknown[]): Promise<void> | undefined {
    for (let cleanup = this.#next(); cleanup !== undefined && !this.shutdown.running; cleanup = this.#next()) {
      let result: unknown;
      try {
        result = cleanup.run();
      } catch (error) {
        errors.push(error);
      }
      if (isPromise(result)) {
        return Promise.resolve(result)
          .then(undefined, (error) => void errors.push(error))
          .then(() => this.#runAll(errors));
      }
    }
    return undefined;
  }

  /** The newest that can be run or waited for: not one that this very call is a part of. */
  #next(): Registration | undefined {
    let at = this.stack.newest;
    while (at !== undefined && at.state === "running" && (at.ending === undefined || at.isRunningHere)) {
      at = at.older as Registration | undefined;
    }
    return at;
  }

  configure(given: Partial<Settings>): Settings {
    this.readEnvironment();
    Object.assign(
      this.settings,
      checkSettings(given),
      environmentSettings(process.env, () => {}),
    );
    if (given.signals !== undefined) this.exits.signalsChanged();
    return { ...this.settings };
  }

  readEnvironment(): void {
    if (this.#environmentRead) return;
    this.#environmentRead = true;
    // Worker threads share their parent's environment, and what there is to say about it was said there.
    Object.assign(this.settings, environmentSettings(process.env, isMainThread ? report : () => {}));
    if (isObserverWanted(process.env)) observer()?.observe();
  }

  exit(code: unknown): never {
    if (code !== undefined && !(Number.isInteger(code) && (code as number) >= 0 && (code as number) <= 255)) {
      throw failure("ERR_ATEXIT_EXIT_CODE", code);
    }
    this.#watch();
    return this.exits.exit(Number(code ?? process.exitCode ?? 0));
  }

  /** What `exit()` does, for the sake of a parent that is gone. */
  exitWithParent(): never {
    this.#watch();
    return this.exits.exit(Number(process.exitCode ?? 0), "parent");
  }

  #watch(): void {
    if (this.exits.watching) return;
    this.readEnvironment();
    this.#beginnings += 1;
    this.exits.watch();
  }

  #unwatch(): void {
    if (this.shutdown.exit !== undefined) return; // the process is about to end
    if (this.#beginnings < BEGINNINGS) {
      this.exits.unwatch();
      return;
    }
    this.#lingering ??= setTimeout(() => {
      this.#lingering = undefined;
      if (this.stack.size > 0 || this.shutdown.exit !== undefined) return;
      this.#beginnings = 0;
      this.exits.unwatch();
    }, LINGER).unref();
  }
}

/** @throws the one error, or an `AggregateError` of many */
function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} cleanups failed`);
}

function checkOptions(options: CleanupOptions): CleanupOptions {
  const { name, timeout, onCancel } = options;
  if (name !== undefined && typeof name !== "string") {
    throw failure("ERR_ATEXIT_OPTIONS", "The cleanup's name", name, "a string");
  }
  if (timeout !== undefined) checkTime("timeout", timeout);
  if (onCancel !== undefined && typeof onCancel !== "function") {
    throw failure("ERR_ATEXIT_OPTIONS", "onCancel", onCancel, "a function");
  }
  const checked: CleanupOptions = {};
  if (name !== undefined) checked.name = name;
  if (timeout !== undefined) checked.timeout = timeout;
  if (onCancel !== undefined) checked.onCancel = onCancel;
  return checked;
}
