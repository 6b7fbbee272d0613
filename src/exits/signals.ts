// The signals that ask a process to end, as they arrive.

import { writeError } from "../diagnostics/stderr.ts";
import { uncaughtErrorReport } from "../diagnostics/uncaught-error-report.ts";
import { now } from "../platform/node-builtins.ts";
import { describeExit } from "../registry/exit-reason.ts";
import { endAfterSignal, endBySignal, exitCodeOf } from "./end-by-signal.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { hideListenerCount } from "./hide-listener-count.ts";
import { exitsForSignal, onlyFlushes, waitingListeners } from "./known-libraries.ts";
import { isListenerOfStack, markListener } from "./stacks-of-process.ts";
import { process } from "../platform/process.ts";

/** The last signal that was left to a listener of the program, and when it came. */
interface LeftSignal {
  readonly signal: NodeJS.Signals;
  readonly at: number;
}

/**
 * Has a real listener for each signal, in front of all others: behind them, a `once`
 * listener of the program would already be gone, and the signal would look as if
 * the program did not listen.
 */
export class Signals implements ExitHandler {
  readonly #context: ExitContext;
  #listenedTo: readonly NodeJS.Signals[] = [];
  /** When the first signal of this shutdown came, on the clock of now(). */
  #firstAt: number | undefined;
  #left: LeftSignal | undefined;
  #announced: { readonly signal: NodeJS.Signals; readonly code: number } | undefined;

  constructor(context: ExitContext) {
    this.#context = context;
  }

  install(): void {
    this.#listenedTo = this.#context.settings.signals;
    for (const signal of this.#listenedTo) process.prependListener(signal, this.#listener);
  }

  uninstall(): void {
    for (const signal of this.#listenedTo) process.removeListener(signal, this.#listener);
    this.#listenedTo = [];
  }

  /** Returns the signal for which a library is about to call `process.exit(code)`, where it has been sent one. */
  announcedBy(code: number): NodeJS.Signals | undefined {
    return this.#announced?.code === code ? this.#announced.signal : undefined;
  }

  readonly #listener = markListener((signal: NodeJS.Signals) => {
    if (this.#context.shutdown.isRunning) this.#again(signal);
    else if (this.#isOurs(signal)) this.#begin(signal);
    else {
      this.#left = { signal, at: now() };
      // signal-exit would take the signal from a program that listens once, if it thought itself alone then.
      if (waitingListeners(signal) === 0) hideListenerCount(signal, isListenerOfStack);
    }
  });

  #begin(signal: NodeJS.Signals): void {
    const { shutdown } = this.#context;
    this.#firstAt = now();
    const end = () => {
      // Of several stacks the last one ends the process.
      process.removeListener(signal, this.#listener);
      if (!process.listeners(signal).some(isListenerOfStack)) endAfterSignal(signal, this.#context);
    };
    if (shutdown.begin(describeExit({ kind: "signal", code: exitCodeOf(signal), signal }), end)) end();
  }

  /** Ends the process at once on a second press, but not on a signal that a package manager doubled. */
  #again(signal: NodeJS.Signals): void {
    const { shutdown, settings } = this.#context;
    this.#firstAt ??= timeOfFirst(signal, this.#left, this.#context);
    if (now() - this.#firstAt < settings.doubledWithin) return;
    try {
      settings.onSecondSignal?.(signal);
    } catch (error) {
      writeError(uncaughtErrorReport(error, "uncaughtException"));
    }
    shutdown.abandon();
    endBySignal(signal, this.#context);
  }

  /** Whether no listener of the program decides what this signal means. */
  #isOurs(signal: NodeJS.Signals): boolean {
    const others = process
      .listeners(signal)
      .filter((listener) => !isListenerOfStack(listener) && !onlyFlushes(listener));
    if (others.length <= waitingListeners(signal)) return true;
    const deciding = others.filter((listener) => !exitsForSignal(listener));
    if (deciding.length <= waitingListeners(signal)) this.#announced = { signal, code: exitCodeOf(signal) };
    return false;
  }
}

/**
 * Returns when the first press was, on the clock of now(), where no signal began the
 * shutdown. It may have come to a listener of the program, which has ended it then. A
 * first Ctrl-C is a second thought, too; any other only says what goes on already.
 */
function timeOfFirst(signal: NodeJS.Signals, left: LeftSignal | undefined, context: ExitContext): number {
  const { shutdown, settings } = context;
  const beganAt = now() - (shutdown.grace - shutdown.timeLeft);
  if (left?.signal === signal && beganAt - left.at < settings.grace) return left.at;
  return signal === "SIGINT" && shutdown.exit?.kind !== "signal" ? beganAt : now();
}
