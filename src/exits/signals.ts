// The signals that ask a process to end, as they arrive.

import { now } from "../builtin.js";
import { describeExit, isSystemExit } from "../exit.js";
import said from "../said.js" with { type: "late" };
import { DOUBLED_SIGNAL_WINDOW, signalNumber } from "../signals.js";
import { exitsForSignal, waitingListeners } from "./neighbours.js";
import { SystemExit } from "../system-exit.js";
import { nodeProcess } from "./node-process.js";
import type { Leaving } from "./way-out.js";

/** What Windows gives a program that Ctrl-C ended (STATUS_CONTROL_C_EXIT). Untested here. */
const CONTROL_C_EXIT = 0xc000013a;

export class Signals {
  readonly #leaving: Leaving;
  readonly #listener: NodeJS.SignalsListener;
  /** When the first signal of this shutdown came, on the clock of now(). */
  #firstAt: number | undefined;

  /** @param listener that of ours */
  constructor(leaving: Leaving, listener: NodeJS.SignalsListener) {
    this.#leaving = leaving;
    this.#listener = listener;
  }

  on(signal: NodeJS.Signals): void {
    const { shutdown } = this.#leaving;
    if (shutdown.running) this.#again(signal);
    else if (this.#isOurs(signal)) this.#begin(signal);
  }

  #begin(signal: NodeJS.Signals): void {
    this.#firstAt = now();
    const end = () => endBySignal(signal, this.#leaving);
    const exit = describeExit({ kind: "signal", code: exitCodeOf(signal), signal });
    if (this.#leaving.shutdown.begin(exit, end)) end();
  }

  /** A second press ends the process at once; one that a package manager doubled does not. */
  #again(signal: NodeJS.Signals): void {
    this.#firstAt ??= now();
    if (now() - this.#firstAt < DOUBLED_SIGNAL_WINDOW) return;
    this.#leaving.shutdown.abandon();
    endBySignal(signal, this.#leaving);
  }

  /** Whether nobody else decides what this signal means. */
  #isOurs(signal: NodeJS.Signals): boolean {
    const others = process.listeners(signal).filter((listener) => listener !== this.#listener);
    if (others.length <= waitingListeners(signal)) return true;
    const deciding = others.filter((listener) => !exitsForSignal(listener));
    if (deciding.length <= waitingListeners(signal)) {
      this.#leaving.announcedSignal = { signal, code: exitCodeOf(signal) };
    }
    return false;
  }
}

/** 128 + number: how a shell shows a death by signal, and what PID 1 has to end with. */
function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + (signalNumber(signal) ?? 0);
}

/**
 * Ends the process by the signal itself. The `exit` event comes first, for
 * libraries that know only that.
 */
export function endBySignal(signal: NodeJS.Signals, leaving: Leaving): never {
  const code = exitCodeOf(signal);
  const { kill, pid, platform } = process;
  if (nodeProcess._exiting !== true) {
    nodeProcess._exiting = true;
    const { reallyExit } = nodeProcess;
    // A listener that calls process.exit() leaves the others behind, as always; the signal stays.
    nodeProcess.reallyExit = (exitCode) => {
      throw new SystemExit(exitCode);
    };
    try {
      process.emit("exit", code);
    } catch (error) {
      if (!isSystemExit(error)) said().writeError(said().reportOf(error, "uncaughtException"));
    } finally {
      nodeProcess.reallyExit = reallyExit;
    }
  }
  leaving.shutdown.abandon();
  if (platform === "win32") {
    const interrupted = signal === "SIGINT" || signal === "SIGBREAK";
    return nodeProcess.reallyExit(interrupted ? CONTROL_C_EXIT : 1);
  }
  process.removeAllListeners(signal);
  kill(pid, signal);
  // Still here: the kernel gives PID 1 of a namespace no default actions.
  return nodeProcess.reallyExit(code);
}
