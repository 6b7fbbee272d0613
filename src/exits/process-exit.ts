// process.exit(), from anywhere, and exit() of this package. The stack runs
// right there; at the first promise the caller is unwound by a SystemExit.

import { builtin } from "../builtin.js";
import { cleanupMark } from "../context.js";
import { describeExit, SystemExit } from "../exit.js";
import { endBySignal } from "./signals.js";
import type { Leaving, WayOut } from "./way-out.js";

type ProcessExitFunction = (this: unknown, ...args: unknown[]) => never;

export class ProcessExit implements WayOut {
  readonly #leaving: Leaving;
  #found: ProcessExitFunction = process.exit as ProcessExitFunction;
  #watching = false;
  readonly #ours: ProcessExitFunction;

  constructor(leaving: Leaving) {
    this.#leaving = leaving;
    const exit: ProcessExitFunction = (...args) => this.#exit(args);
    this.#ours = exit;
  }

  watch(): void {
    this.#watching = true;
    if (process.exit === this.#ours) return;
    this.#found = process.exit as ProcessExitFunction;
    process.exit = this.#ours as typeof process.exit;
    // For `import { exit } from "node:process"`, which would go on seeing Node's own.
    builtin("module").syncBuiltinESMExports();
  }

  unwatch(): void {
    this.#watching = false;
    // Where somebody has replaced it after us, ours stays behind theirs and only passes on.
    if (process.exit !== this.#ours) return;
    process.exit = this.#found as typeof process.exit;
    builtin("module").syncBuiltinESMExports();
  }

  exitNow(...args: readonly unknown[]): never {
    return Reflect.apply(this.#found, process, args);
  }

  #exit(args: readonly unknown[]): never {
    const { stack, shutdown } = this.#leaving;
    const nothingToDo = stack.size === 0 && !shutdown.running;
    if (!this.#watching || nothingToDo || isExiting()) return this.exitNow(...args);
    // Node's own check of the code, and its own error, before anything is cleaned up.
    if (args.length > 0) process.exitCode = args[0] as number;
    return this.leave(args);
  }

  /** @param args what to end the process with, as `process.exit` takes it */
  leave(args: readonly unknown[]): never {
    const { shutdown, settings, announcedSignal, parent } = this.#leaving;
    const code = Number((args.length > 0 ? args[0] : process.exitCode) ?? 0);
    if (shutdown.running) {
      // Inside a cleanup it changes the code; anywhere else the first one stands.
      if (cleanupMark() !== undefined) shutdown.code = code;
      throw new SystemExit(code);
    }
    if (announcedSignal?.code === code) {
      const { signal } = announcedSignal;
      const end = () => endBySignal(signal, this.#leaving);
      if (shutdown.begin(describeExit({ kind: "signal", code, signal }), end)) end();
      throw new SystemExit(code);
    }
    const exit = describeExit({ kind: parent === "disconnecting" ? "disconnect" : "exit", code });
    const end = () => (shutdown.code === undefined ? this.exitNow(...args) : this.exitNow(shutdown.code));
    if (settings.processExit === "sync") {
      shutdown.runWithoutWaiting(exit, 'processExit is "sync"');
      end();
    } else if (shutdown.begin(exit, end)) end();
    throw new SystemExit(code);
  }
}

/** Whether the `exit` event has been emitted already: Node then ends at once. */
function isExiting(): boolean {
  return (process as { _exiting?: boolean })._exiting === true;
}
