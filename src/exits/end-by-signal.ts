// Ends the process by a signal.

import { uncaughtErrorReport } from "../diagnostics/uncaught-error-report.ts";
import { writeError } from "../diagnostics/stderr.ts";
import { block } from "../platform/block.ts";
import { leaveRawMode } from "../platform/raw-mode.ts";
import { signalNumber } from "../platform/signal-list.ts";
import { isSystemExit } from "../registry/exit-reason.ts";
import { isDeno } from "./error-listeners.ts";
import type { ExitContext } from "./exit-handler.ts";
import { nodeProcess } from "./node-internals.ts";
import { process } from "../platform/process.ts";
import { systemExits } from "../platform/this-system.ts";
import { unwind } from "./unwind.ts";

/** How long a runtime may take to pass a signal on to itself, in milliseconds. */
const DIES_WITHIN = 500;

/** Returns 128 + number: how a shell shows a death by signal, and what PID 1 has to end with. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + (signalNumber(signal) ?? 0);
}

/**
 * Ends the process when the cleanups have run for a signal: with the code that one of
 * them has asked for, else as the program wants it, by default by the signal.
 */
export function endAfterSignal(signal: NodeJS.Signals, context: ExitContext): never {
  const { shutdown, settings, endProcess } = context;
  const wanted = settings.afterSignal === "code" ? exitCodeOf(signal) : settings.afterSignal;
  const code = shutdown.requestedCode ?? wanted;
  return code === "signal" ? endBySignal(signal, context) : endProcess(code);
}

/**
 * Ends the process by the signal itself. The `exit` event comes first, for
 * libraries that know only that.
 */
export function endBySignal(signal: NodeJS.Signals, { shutdown, endProcess }: ExitContext): never {
  const code = exitCodeOf(signal);
  const { kill, pid } = process;
  if (nodeProcess._exiting !== true) emitExit(code);
  shutdown.abandon();
  const status = systemExits.statusOfSignal?.(signal);
  if (status !== undefined) return nodeProcess.reallyExit(status);
  leaveRawMode(); // as Node does where it handles the signal itself
  process.removeAllListeners(signal);
  // The kernel gives PID 1 of a namespace no default actions, and Deno crashes there.
  if (pid !== 1 || !isDeno) kill(pid, signal);
  if (pid !== 1) block(DIES_WITHIN); // still here: in Deno it takes a moment
  return endProcess(code);
}

/** Calls the listeners. A listener that calls process.exit() skips the rest, as always; the signal stays. */
function emitExit(code: number): void {
  nodeProcess._exiting = true;
  const { reallyExit } = nodeProcess;
  nodeProcess.reallyExit = unwind;
  try {
    process.emit("exit", code);
  } catch (error) {
    if (!isSystemExit(error)) writeError(uncaughtErrorReport(error, "uncaughtException"));
  } finally {
    nodeProcess.reallyExit = reallyExit;
  }
}
