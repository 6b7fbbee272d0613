// The properties of `process` that Node does not document, and that are needed to
// end a process as Node does.

import { process } from "../platform/process.ts";

interface NodeProcess {
  /** Whether `exit` has been emitted, or is being. */
  _exiting?: boolean;
  /** What is called for an error that nobody has caught; it emits the events. Deno and Bun have none. */
  _fatalException?: (error: unknown, ...rest: unknown[]) => boolean;
  /** Ends the process without another event. */
  reallyExit(code: number): never;
}

export const nodeProcess = process as unknown as NodeProcess;

/** Has Node warn of too many listeners once more, when the next one is added. */
export function forgetLeakWarning(event: string): void {
  const { _events } = process as { _events?: Record<string, unknown> };
  const listeners = _events?.[event];
  if (Array.isArray(listeners)) (listeners as { warned?: boolean }).warned = false;
}

/** Returns the exit code as it stands; listeners of `exit` may have changed it. */
export function currentExitCode(): number {
  return Number(process.exitCode ?? 0);
}

/**
 * Keeps the status of a top-level await that is unsettled, whatever settles it from now on, and
 * returns it, or 0. Node 20 has a listener of `exit` as long, which sets it; added once more, it
 * stays. Later versions decide it where no JavaScript can see it.
 */
export function keepUnsettledStatus(): number {
  const isNodes = (each: unknown) => /^function handleProcessExit\(\) {\s+process.exitCode \?\?= k/.test(String(each));
  const listener = process.listeners("exit").find(isNodes);
  if (listener === undefined) return 0;
  process.on("exit", listener);
  return 13; // Source: https://nodejs.org/api/process.html#exit-codes
}

/** Lets the call of process.exit() that is emitting `exit` return to its caller. */
export function returnFromProcessExit(): void {
  const { reallyExit } = nodeProcess;
  const passOnce = () => {
    nodeProcess.reallyExit = reallyExit;
  };
  nodeProcess.reallyExit = passOnce as () => never;
}

/** Whether this code runs because of process.exit(), which alone can be left by an error. */
export function isInProcessExit(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const isExit = (frame: NodeJS.CallSite) =>
    isProcessExitFile(frame.getFileName()) && frame.getFunctionName()?.endsWith("exit") === true;
  try {
    Error.stackTraceLimit = 50;
    Error.prepareStackTrace = (_, frames) => frames.some(isExit);
    const found: unknown = new Error().stack;
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
    return found === true;
  } catch {
    return true; // Error is frozen; that anything is registered here has no other cause worth a guess
  }
}

/** Deno's process.exit is in a module of this name. */
const DENO_PROCESS_FILE = "node:process";

function isProcessExitFile(file: string | null | undefined): boolean {
  return file === PROCESS_EXIT_FILE || file === DENO_PROCESS_FILE;
}

/** The file that Node's process.exit is in. */
export const PROCESS_EXIT_FILE = "node:internal/process/per_thread";
