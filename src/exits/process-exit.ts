// process.exit(), from anywhere, and exit() of this package, which calls it. Nothing is
// replaced for it: Node emits `exit` before it ends the process, and what that
// throws ends process.exit() there. So a function of process.exit that was kept
// from before, or that another library has wrapped, comes by here as well. In a
// runtime that emits `exit` past process.emit (Bun), `reallyExit` is replaced.

import { isInside } from "../execution/cleanup-context.ts";
import { describeExit, type Exit } from "../registry/exit-reason.ts";
import { endAfterSignal } from "./end-by-signal.ts";
import { stopListening } from "./error-listeners.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import type { IpcDisconnect } from "./ipc-disconnect.ts";
import { currentExitCode, isInProcessExit, nodeProcess, returnFromProcessExit } from "./node-internals.ts";
import { unwind } from "./unwind.ts";
import type { Signals } from "./signals.ts";
import { hasStacksBehind, markListener } from "./stacks-of-process.ts";
import { callsEmitProperty, isEmittingError } from "./native-events.ts";
import { isCalledByReporter } from "./known-libraries.ts";
import { currentExit, process } from "../platform/process.ts";

/** How a call of process.exit() comes to its end. */
interface Plan {
  readonly exit: Exit;
  readonly end: () => never;
  /** Whether it ends by the signal for whose sake the call was made. */
  readonly isBySignal: boolean;
}

/** Source: https://nodejs.org/api/process.html#exit-codes */
const LISTENER_THREW = 7;

/** Ends the call of process.exit() whose caller has to wait: by an error, where that does not end the process. */
function leave(code: number): never {
  if (isEmittingError()) return undefined as never;
  return unwind(code);
}

export class ProcessExit implements ExitHandler {
  readonly #context: ExitContext;
  readonly #ipc: IpcDisconnect;
  readonly #signals: Signals | undefined;
  /** Whether the process ends now: listeners of `exit` have the word. */
  #isEnding = false;
  /** Whether exit() of this package asks for the end: it begins a shutdown where nothing is registered, too. */
  #isAsked = false;
  /** The runtime's own, while it is replaced. */
  #reallyExit: ((code: number) => never) | undefined;
  /** Whether the runtime has emitted `exit` before it came to `reallyExit`: it does so once. */
  #hasEmitted = false;

  constructor(context: ExitContext, ipc: IpcDisconnect, signals: Signals | undefined) {
    this.#context = context;
    this.#ipc = ipc;
    this.#signals = signals;
  }

  readonly intercepts = {
    exit: (emit: () => boolean, [given]: readonly unknown[]): boolean => {
      const { shutdown } = this.#context;
      const code = Number(given ?? 0);
      if (this.#isLast || !isInProcessExit()) return this.#emitLast(emit, code);
      nodeProcess._exiting = false; // not yet: process.nextTick() would do nothing
      const plan = this.#plan(code);
      if (plan !== undefined && shutdown.begin(plan.exit, plan.end, this.#whyNotAwaited)) {
        if (plan.isBySignal) return plan.end();
        const last = shutdown.requestedCode ?? code;
        process.exitCode = last;
        nodeProcess._exiting = true;
        return this.#emitLast(emit, last);
      }
      // The caller is left, and the process goes on until its cleanups have ended.
      if (!isCalledByReporter()) return unwind(code);
      returnFromProcessExit();
      return true;
    },
  };

  /** Takes the place of `process.reallyExit` where that alone ends process.exit() by what it throws. */
  install(): void {
    if (callsEmitProperty() || this.#reallyExit !== undefined) return;
    this.#reallyExit = nodeProcess.reallyExit;
    nodeProcess.reallyExit = (code) => {
      const { shutdown } = this.#context;
      if (this.#isLast) return this.#endNow(code);
      this.#hasEmitted = true;
      nodeProcess._exiting = false; // not yet: process.nextTick() would do nothing
      const plan = this.#plan(code);
      if (plan === undefined || !shutdown.begin(plan.exit, plan.end, this.#whyNotAwaited)) return leave(code);
      return plan.isBySignal ? plan.end() : this.#endNow(shutdown.requestedCode ?? code);
    };
    process.prependListener("exit", this.#exits);
    process.on("exit", this.#failed);
  }

  uninstall(): void {
    if (this.#reallyExit === undefined || this.#context.shutdown.isRunning || this.#isEnding) return;
    nodeProcess.reallyExit = this.#reallyExit;
    this.#reallyExit = undefined;
    process.off("exit", this.#exits);
    if (!this.#context.shutdown.hasFailed) process.off("exit", this.#failed);
  }

  /** Whether there is nothing to wait for, or no more. */
  get #isLast(): boolean {
    const { stack, shutdown } = this.#context;
    return this.#isEnding || (stack.size === 0 && !shutdown.isRunning && !this.#isAsked);
  }

  #endNow(code: number): never {
    return (this.#reallyExit ?? nodeProcess.reallyExit).call(process, this.#lastCode(code));
  }

  /** What an `exit` listener throws is the runtime's to report, once nothing is left to wait for. */
  readonly #exits = markListener((): void => {
    if (this.#isLast) stopListening();
  });

  readonly #failed = markListener((code: number): void => {
    // Nothing but this event tells that a listener of `uncaughtException` threw.
    const { stack, shutdown } = this.#context;
    if (code === LISTENER_THREW && isEmittingError() && stack.size > 0) {
      shutdown.begin(
        describeExit({ kind: "uncaughtException", code }),
        () => {},
        "a listener of uncaughtException threw",
      );
    }
    // Where no status is set, that of an `exit` listener that throws stays the runtime's.
    if (shutdown.hasFailed && code === 0) process.exitCode = 1;
  });

  /** A failed cleanup turns 0 into 1, and only 0. */
  #lastCode(code: number): number {
    return this.#context.shutdown.hasFailed && code === 0 ? 1 : code;
  }

  /** Calls process.exit() of this moment, which may be a test's: `exit()` of this package is the same. */
  exit(code: number): never {
    this.#isAsked = true;
    try {
      return currentExit()(code);
    } finally {
      this.#isAsked = false;
    }
  }

  /** Ends the process as process.exit() does, for the sake of a parent that is gone. */
  exitWithParent(code: number): never {
    const { shutdown } = this.#context;
    const plan = this.#plan(code, "parent");
    if (plan === undefined || !shutdown.begin(plan.exit, plan.end, this.#whyNotAwaited)) return unwind(code);
    return plan.end();
  }

  /** Ends the process, also where another library has replaced process.exit. */
  endProcess(code: number): never {
    this.#isEnding = true;
    process.exitCode = code;
    // The stack behind this one begins, and unwinds this caller where it has to wait.
    if (hasStacksBehind(this.#context.stack)) process.exit(code);
    if (nodeProcess._exiting !== true && !this.#hasEmitted) {
      nodeProcess._exiting = true;
      process.emit("exit", code);
    }
    return nodeProcess.reallyExit(currentExitCode());
  }

  get #whyNotAwaited(): string | undefined {
    return this.#context.settings.processExit === "sync" ? 'processExit is "sync"' : undefined;
  }

  /** Returns `undefined` while a shutdown is running, which goes on. */
  #plan(code: number, kind: "exit" | "parent" = "exit"): Plan | undefined {
    const { shutdown } = this.#context;
    if (shutdown.isRunning) {
      // Inside a cleanup it changes the code; anywhere else the first one stands.
      if (isInside()) shutdown.requestExitCode(code);
      process.exitCode = shutdown.exitCodeAtStart;
      return undefined;
    }
    const signal = this.#signals?.announcedBy(code);
    if (signal !== undefined) {
      const end = () => endAfterSignal(signal, this.#context);
      return { exit: describeExit({ kind: "signal", code, signal }), end, isBySignal: true };
    }
    const exit = describeExit({ kind: kind === "exit" && this.#ipc.isDisconnecting ? "disconnect" : kind, code });
    return { exit, end: () => this.endProcess(shutdown.requestedCode ?? code), isBySignal: false };
  }

  /** The last moment of JavaScript: its listeners are told the status that the process is about to end with. */
  #emitLast(emit: (code: number) => boolean, given: number): boolean {
    this.#isEnding = true;
    const code = this.#lastCode(given);
    const { reallyExit } = nodeProcess;
    // A listener that calls process.exit() ends the process past the others, and past this function.
    nodeProcess.reallyExit = (given) => {
      nodeProcess.reallyExit = reallyExit;
      this.#callLate(given);
      return reallyExit.call(process, this.#lastCode(given));
    };
    try {
      return emit(code);
    } finally {
      nodeProcess.reallyExit = reallyExit;
      this.#callLate(code);
      // The exit listeners have had the last word; a failed cleanup turns 0 into 1, and only 0.
      if (this.#lastCode(given) !== given && currentExitCode() === 0) process.exitCode = 1;
    }
  }

  /** Calls what was registered this late. */
  #callLate(code: number): void {
    const { stack, shutdown } = this.#context;
    if (stack.size === 0) return;
    const exit = describeExit({ kind: "exit", code });
    shutdown.begin(exit, () => {}, "the process ended without waiting");
  }
}
