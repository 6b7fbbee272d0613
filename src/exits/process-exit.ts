// process.exit(), from anywhere, and exit() of this package. Nothing is
// replaced for it: Node emits `exit` before it ends the process, and what that
// throws ends process.exit() there. So a function of process.exit that was kept
// from before, or that somebody has wrapped, comes by here as well.

import { isInside } from "../context.js";
import { describeExit } from "../exit.js";
import { SystemExit } from "../system-exit.js";
import { isCalledByReporter } from "./neighbours.js";
import { isInProcessExit, nodeProcess, returnFromProcessExit } from "./node-process.js";
import { endBySignal } from "./signals.js";
import type { Leaving, WayOut } from "./way-out.js";

export class ProcessExit implements WayOut {
  readonly #leaving: Leaving;
  /** Whether the process ends now: listeners of `exit` have the word. */
  #ending = false;

  constructor(leaving: Leaving) {
    this.#leaving = leaving;
  }

  readonly hooks = {
    exit: (emit: () => boolean, [given]: readonly unknown[]): boolean => {
      const { stack, shutdown } = this.#leaving;
      const code = Number(given ?? 0);
      const isLast = this.#ending || (stack.size === 0 && !shutdown.running) || !isInProcessExit();
      if (isLast) return this.#last(emit, code);
      nodeProcess._exiting = false; // not yet: process.nextTick() would do nothing
      if (this.#leave(code)) {
        nodeProcess._exiting = true;
        return this.#last(emit, code);
      }
      // The caller is left, and the process goes on until its cleanups have ended.
      if (!isCalledByReporter(new Error().stack)) throw new SystemExit(code);
      returnFromProcessExit();
      return true;
    },
  };

  /** What `exit()` of this package does. */
  exit(code: number, kind?: "parent"): never {
    if (!this.#leave(code, kind)) throw new SystemExit(code);
    return this.exitNow(Number(process.exitCode));
  }

  /**
   * Runs the stack.
   *
   * @returns whether the process is to end now; if not, there is something to wait for
   */
  #leave(code: number, kind?: "parent"): boolean {
    const { shutdown, settings, announcedSignal, parent } = this.#leaving;
    if (shutdown.running) {
      // Inside a cleanup it changes the code; anywhere else the first one stands.
      if (isInside()) shutdown.code = code;
      process.exitCode = this.#leaving.exitCode;
      return false;
    }
    this.#leaving.exitCode = code;
    if (announcedSignal?.code === code) {
      const { signal } = announcedSignal;
      const end = () => endBySignal(signal, this.#leaving);
      if (shutdown.begin(describeExit({ kind: "signal", code, signal }), end)) end();
      return false;
    }
    const exit = describeExit({ kind: kind ?? (parent === "disconnecting" ? "disconnect" : "exit"), code });
    if (settings.processExit === "sync") shutdown.runWithoutWaiting(exit, 'processExit is "sync"');
    else if (!shutdown.begin(exit, () => this.exitNow(shutdown.code ?? code))) return false;
    process.exitCode = shutdown.code ?? code;
    return true;
  }

  /** Ends the process, past whatever somebody has put in the place of process.exit. */
  exitNow(code: number): never {
    this.#ending = true;
    process.exitCode = code;
    if (nodeProcess._exiting !== true) {
      nodeProcess._exiting = true;
      process.emit("exit", code);
    }
    return nodeProcess.reallyExit(Number(process.exitCode ?? 0));
  }

  /** The last moment of JavaScript. What was registered this late is called, and can no longer be awaited. */
  #last(emit: () => boolean, code: number): boolean {
    const { stack, shutdown } = this.#leaving;
    this.#ending = true;
    try {
      return emit();
    } finally {
      if (stack.size > 0)
        shutdown.runWithoutWaiting(describeExit({ kind: "exit", code }), "the process ended without waiting");
      // The exit listeners have had the last word; a failed cleanup turns 0 into 1, and only 0.
      if (shutdown.failed && code === 0 && Number(process.exitCode ?? 0) === 0) process.exitCode = 1;
    }
  }
}
