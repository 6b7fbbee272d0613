// process.exit(), from anywhere, and exit() of this package. The stack runs
// right there; at the first promise the caller is unwound by a SystemExit.

import { builtin } from "../builtin.js";
import { isInside } from "../context.js";
import { describeExit, SystemExit } from "../exit.js";
import { WITHOUT_WAITING } from "./exit-event.js";
import { isCalledByReporter } from "./neighbours.js";
import { endBySignal } from "./signals.js";
import type { Leaving, WayOut } from "./way-out.js";

type ProcessExitFunction = (this: unknown, ...args: unknown[]) => never;

export class ProcessExit implements WayOut {
  readonly #leaving: Leaving;
  /** What `process.exit` was before this package stood in front of it. */
  #found: ProcessExitFunction = process.exit as ProcessExitFunction;
  /** The one of ours that counts. Earlier ones, which somebody may have wrapped, only pass on. */
  #ours: ProcessExitFunction | undefined;

  constructor(leaving: Leaving) {
    this.#leaving = leaving;
  }

  watch(): void {
    const found = process.exit as ProcessExitFunction;
    const ours: ProcessExitFunction = (...args) =>
      this.#ours === ours ? this.#exit(args) : Reflect.apply(found, process, args);
    this.#found = found;
    this.#ours = ours;
    replaceProcessExit(ours);
  }

  unwatch(): void {
    const ours = this.#ours;
    this.#ours = undefined;
    // Where somebody has wrapped ours, theirs stays.
    if (process.exit === ours) replaceProcessExit(this.#found);
  }

  exitNow(...args: readonly unknown[]): never {
    return Reflect.apply(this.#found, process, args);
  }

  #exit(args: readonly unknown[]): never {
    const { stack, shutdown } = this.#leaving;
    if (stack.size === 0 && !shutdown.running) return this.exitNow(...args);
    // Node's own check of the code, and its own error, before anything is cleaned up.
    const before = process.exitCode;
    if (args.length > 0) process.exitCode = args[0] as number;
    if (isExiting()) {
      // In an `exit` listener: Node ends at once, and so do we.
      const exit = describeExit({ kind: "exit", code: Number(process.exitCode ?? 0) });
      if (stack.size > 0) shutdown.runWithoutWaiting(exit, WITHOUT_WAITING);
      return this.exitNow(...args);
    }
    if (shutdown.running) process.exitCode = before;
    return this.leave(args);
  }

  /** @param args what to end the process with, as `process.exit` takes it */
  leave(args: readonly unknown[]): never {
    const { shutdown, settings, announcedSignal, parent } = this.#leaving;
    const code = Number((args.length > 0 ? args[0] : process.exitCode) ?? 0);
    if (shutdown.running) {
      // Inside a cleanup it changes the code; anywhere else the first one stands.
      if (isInside()) shutdown.code = code;
      return unwind(code);
    }
    if (announcedSignal?.code === code) {
      const { signal } = announcedSignal;
      const end = () => endBySignal(signal, this.#leaving);
      if (shutdown.begin(describeExit({ kind: "signal", code, signal }), end)) end();
      return unwind(code);
    }
    const exit = describeExit({ kind: parent === "disconnecting" ? "disconnect" : "exit", code });
    const end = () => (shutdown.code === undefined ? this.exitNow(...args) : this.exitNow(shutdown.code));
    if (settings.processExit === "sync") {
      shutdown.runWithoutWaiting(exit, 'processExit is "sync"');
      end();
    } else if (shutdown.begin(exit, end)) end();
    return unwind(code);
  }
}

/** Leaves the caller of exit(), for the time that cleanups still take. */
function unwind(code: number): never {
  // It does nothing after its call: where it would print the error, it may as well return.
  if (isCalledByReporter(new Error().stack)) return undefined as never;
  throw new SystemExit(code);
}

function replaceProcessExit(exit: ProcessExitFunction): void {
  process.exit = exit as typeof process.exit;
  // For `import { exit } from "node:process"`, which would not see it otherwise.
  if (mayBeImported()) builtin("module").syncBuiltinESMExports();
}

/** Whether somebody has asked for node:process. If not, it will be made with what is there then, at no cost now. */
function mayBeImported(): boolean {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  return moduleLoadList?.includes("NativeModule process") ?? true;
}

/** Whether the `exit` event has been emitted already: Node then ends at once. */
function isExiting(): boolean {
  return (process as { _exiting?: boolean })._exiting === true;
}
