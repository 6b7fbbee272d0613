// What one thread has: its stack, its settings, and the exits it watches while
// anything is registered.

import { Channels } from "../diagnostics/channels.ts";
import { describeError, failureReport } from "../diagnostics/cleanup-reports.ts";
import { loadTraceWriter } from "../diagnostics/load-trace-writer.ts";
import { report } from "../diagnostics/stderr.ts";
import { coreError } from "../errors/core.ts";
import { beginAt, blameCaller } from "../errors/define-errors.ts";
import { deliver } from "../execution/deliver-report.ts";
import { CleanupRunner } from "../execution/run-cleanup.ts";
import { Shutdown } from "../execution/shutdown.ts";
import { type ExitHandlers, makeExitHandlers } from "../exits/exit-handlers.ts";
import { Installation } from "../exits/install.ts";
import { currentExitCode } from "../exits/node-internals.ts";
import { isMainThread } from "../platform/node-builtins.ts";
import { callSite } from "../registry/call-site.ts";
import type { Exit } from "../registry/exit-reason.ts";
import { IndexByFunction } from "../registry/function-index.ts";
import {
  type CleanupOptions,
  type DurableCleanupOptions,
  Registration,
  type RegistrationStack,
} from "../registry/registration.ts";
import { type AnyFunction, Stack, type StackWatcher } from "../registry/stack.ts";
import { asksForTrace, hasSettings } from "../settings/environment.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { defaultSettings, type Settings } from "../settings/settings.ts";
import { configure, readEnvironment } from "../settings/validate.ts";
import { finalize } from "./finalize.ts";
import type { SharedThreadV1 } from "./shared-state.ts";
import { environment } from "../platform/process.ts";

export class ThreadState implements SharedThreadV1, StackWatcher {
  readonly #settings = defaultSettings();
  readonly #channels = new Channels();
  readonly #stack: RegistrationStack;
  readonly #runner: CleanupRunner;
  readonly #shutdown: Shutdown;
  readonly #controller = new AbortController();
  readonly #reportFailure = (cleanup: Registration, error: unknown) =>
    deliver(this.#settings, failureReport(cleanup, error));
  #functions: IndexByFunction<Registration> | undefined;
  #handlers: ExitHandlers | undefined;
  #installation: Installation | undefined;
  #isEnvironmentRead = false;

  constructor() {
    this.#stack = Object.assign(new Stack<Registration>(this), {
      run: (registration: Registration) => this.#runner.run(registration),
    });
    this.#runner = new CleanupRunner(this.#stack, this.#channels);
    this.#shutdown = new Shutdown(this.#runner, this.#channels, this.#settings, (exit) => this.#controller.abort(exit));
  }

  get exiting(): AbortSignal & { readonly reason: Exit | undefined } {
    return this.#controller.signal;
  }

  get count(): number {
    return this.#stack.size - this.#runner.running;
  }

  register(callee: AnyFunction, first: unknown, rest: readonly unknown[]): Registration {
    if (typeof first === "function") return this.add(callee, first as AnyFunction, rest, undefined);
    const [fn, ...args] = rest;
    const options = blameCaller(callee, () => checkOptions(first));
    if (typeof fn !== "function") throw beginAt(callee, coreError("ERR_ATEXIT_NOT_A_FUNCTION", fn));
    return this.add(callee, fn as AnyFunction, args, options);
  }

  add(
    callee: AnyFunction,
    fn: AnyFunction,
    args: readonly unknown[],
    options: DurableCleanupOptions | undefined,
  ): Registration {
    const site = callSite(callee);
    const metadata = site === undefined && options === undefined ? undefined : { options, site };
    const registration = new Registration(this.#stack, fn, args, metadata);
    this.#stack.push(registration);
    return registration;
  }

  finalize(callee: AnyFunction, object: unknown, fn: unknown, args: readonly unknown[]): Registration {
    const register = (cleanup: AnyFunction) => this.add(callee, cleanup, args, undefined);
    return blameCaller(callee, () => finalize(register, this.#reportFailure, object, fn, args));
  }

  unregister(callee: AnyFunction, fn: unknown): void {
    if (typeof fn !== "function") throw beginAt(callee, coreError("ERR_ATEXIT_NOT_A_FUNCTION", fn));
    this.#functions ??= new IndexByFunction(this.#stack);
    this.#stack.index = this.#functions;
    for (const registration of this.#functions.of(fn as AnyFunction)) registration.cancel();
  }

  clear(): void {
    for (let at = this.#stack.newest; at !== undefined;) {
      const older = at.older as Registration | undefined;
      at.cancel();
      at = older;
    }
  }

  run(): void | Promise<void> {
    return this.#runner.runAll(() => this.#shutdown.isRunning);
  }

  configure(callee: AnyFunction, given: Partial<Settings>): Settings {
    this.#readEnvironment();
    blameCaller(callee, () => configure(this.#settings, given));
    const signals = this.#handlers?.signals;
    if (given.signals !== undefined && signals !== undefined) this.#installation?.reinstall(signals);
    return { ...this.#settings };
  }

  exit(callee: AnyFunction, code: unknown): never {
    const checked = checkCode(callee, code);
    return this.#watch().processExit.exit(checked);
  }

  exitNow(callee: AnyFunction, code: unknown): never {
    const checked = checkCode(callee, code);
    this.#shutdown.abandon();
    return this.#watch().processExit.endProcess(checked);
  }

  exitWithParent(): never {
    return this.#watch().processExit.exitWithParent(currentExitCode());
  }

  /** The stack is no longer empty. */
  filled(): void {
    this.#watch();
  }

  /** The stack is empty again. */
  emptied(): void {
    if (!this.#isEnding) this.#installation?.uninstall();
  }

  /** Whether a shutdown has begun: the process is about to end. */
  get #isEnding(): boolean {
    return this.#shutdown.exit !== undefined;
  }

  /** Watches for the ways out from now on. */
  #watch(): ExitHandlers {
    this.#readEnvironment();
    const { all } = (this.#handlers ??= makeExitHandlers({
      stack: this.#stack,
      settings: this.#settings,
      shutdown: this.#shutdown,
    }));
    this.#installation ??= new Installation(all, () => this.#stack.size > 0 || this.#isEnding);
    this.#installation.install();
    return this.#handlers;
  }

  /** Takes what the operator says, once. */
  #readEnvironment(): void {
    if (this.#isEnvironmentRead) return;
    this.#isEnvironmentRead = true;
    if (!hasSettings(environment())) return;
    // Worker threads share their parent's environment, and what there is to say about it was said there.
    readEnvironment(this.#settings, isMainThread ? report : () => {});
    if (asksForTrace(environment())) loadTraceWriter()?.observe(describeError);
  }
}

/** @throws a `RangeError` for what is no exit code */
function checkCode(callee: AnyFunction, code: unknown): number {
  if (code === undefined) return currentExitCode();
  if (Number.isInteger(code) && (code as number) >= 0 && (code as number) <= 255) return code as number;
  throw beginAt(callee, coreError("ERR_ATEXIT_EXIT_CODE", code));
}

/** @throws a `TypeError` or `RangeError` for options that cannot be */
function checkOptions(options: unknown): CleanupOptions {
  if (typeof options !== "object" || options === null) throw coreError("ERR_ATEXIT_NOT_A_FUNCTION", options);
  const { name, timeout, onCancel } = options as CleanupOptions;
  if (name !== undefined && typeof name !== "string") {
    throw coreError("ERR_ATEXIT_OPTIONS", "The cleanup's name", name, "a string");
  }
  if (timeout !== undefined) checkTime("timeout", timeout);
  if (onCancel !== undefined && typeof onCancel !== "function") {
    throw coreError("ERR_ATEXIT_OPTIONS", "onCancel", onCancel, "a function");
  }
  const checked: CleanupOptions = {};
  if (name !== undefined) checked.name = name;
  if (timeout !== undefined) checked.timeout = timeout;
  if (onCancel !== undefined) checked.onCancel = onCancel;
  return checked;
}
