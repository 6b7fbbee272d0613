// What a program can ask of its thread beyond a registration: loaded with the
// first that it asks.

import { ByFunction } from "./by-function.js";
import { configure, readEnvironment } from "./configuration.js";
import ending from "./ending.js" with { type: "late" };
import failure from "./errors.js" with { type: "late" };
import unwatch from "./exits/unwatch.js" with { type: "late" };
import { finalizeIn } from "./finalize.js";
import type { CleanupOptions, Registration } from "./registration.js";
import said from "./said.js" with { type: "late" };
import type { Settings } from "./settings.js";
import type { AnyFunction } from "./stack.js";
import type { Thread } from "./thread.js";
import { checkTime } from "./time.js";

export default function asked(thread: Thread): Asked {
  return new Asked(thread);
}

export class Asked {
  readonly #thread: Thread;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  /** @throws a `TypeError` or `RangeError` for a registration with options that cannot be, or without a function */
  checkRegistration(options: unknown, fn: unknown): { fn: AnyFunction; options: CleanupOptions } {
    if (typeof options !== "object" || options === null) throw failure("ERR_ATEXIT_NOT_A_FUNCTION", options);
    if (typeof fn !== "function") throw failure("ERR_ATEXIT_NOT_A_FUNCTION", fn);
    return { fn: fn as AnyFunction, options: checkOptions(options) };
  }

  finalize(callee: AnyFunction, object: unknown, fn: unknown, args: readonly unknown[]): Registration {
    return finalizeIn(this.#thread, callee, object, fn, args);
  }

  unregister(fn: unknown): void {
    if (typeof fn !== "function") throw failure("ERR_ATEXIT_NOT_A_FUNCTION", fn);
    const { stack } = this.#thread;
    stack.byFunction ??= new ByFunction(stack);
    for (const registration of stack.byFunction.of(fn as AnyFunction)) registration.cancel();
  }

  clear(): void {
    for (let at = this.#thread.stack.newest; at !== undefined;) {
      const older = at.older as Registration | undefined;
      at.cancel();
      at = older;
    }
  }

  run(): void | Promise<void> {
    return ending().runAll(this.#thread.stack, this.#thread.exits.shutdown);
  }

  configure(given: Partial<Settings>): Settings {
    const { settings, watch } = this.#thread;
    this.readEnvironment();
    configure(settings, given);
    if (given.signals !== undefined && watch.isOn) {
      unwatch().listenNoMore(watch);
      watch.listen();
    }
    return { ...settings };
  }

  /** What an operator has said, once. */
  readEnvironment(): void {
    if (this.#thread.isEnvironmentRead) return;
    this.#thread.isEnvironmentRead = true;
    readEnvironment(this.#thread.settings);
    if (said().isObserverWanted(process.env)) said().observer()?.observe();
  }

  exit(code: unknown): never {
    if (code !== undefined && !(Number.isInteger(code) && (code as number) >= 0 && (code as number) <= 255)) {
      throw failure("ERR_ATEXIT_EXIT_CODE", code);
    }
    this.#thread.filled();
    return this.#thread.exits.processExit.exit(Number(code ?? process.exitCode ?? 0));
  }

  /** What `exit()` does, for the sake of a parent that is gone. */
  exitWithParent(): never {
    this.#thread.filled();
    return this.#thread.exits.processExit.exit(Number(process.exitCode ?? 0), "parent");
  }
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
