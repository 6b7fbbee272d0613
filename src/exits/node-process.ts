// What Node has on `process` beyond its documentation, and what is needed of it
// to end a process as Node does.

interface NodeProcess {
  /** Whether `exit` has been emitted, or is being. */
  _exiting?: boolean;
  /** Ends the process without another event. */
  reallyExit(code: number): never;
}

export const nodeProcess = process as unknown as NodeProcess;

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
  try {
    Error.stackTraceLimit = 50;
    Error.prepareStackTrace = (_, frames) =>
      frames.some((frame) => frame.getFunctionName()?.endsWith("exit") && frame.getFileName() === PER_THREAD);
    return (new Error() as { stack: unknown }).stack === true;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
  }
}

/** Where Node's process.exit is. */
const PER_THREAD = "node:internal/process/per_thread";
