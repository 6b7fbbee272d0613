// The error that unwinds the caller of process.exit() while cleanups are still
// running.

import { recogniseInAllCopies } from "../errors/instance-of.ts";

/**
 * Thrown by `process.exit()` and `exit()` to unwind their caller while
 * asynchronous cleanups run, as Python's `sys.exit()` does. Swallowing it does
 * not cancel the exit. It reaches no `uncaughtException` listener. To read the
 * `message` or `stack` of one that was thrown throws it once more, so that no `catch`
 * prints or records it.
 */
export class SystemExit extends Error {
  override readonly name = "SystemExit";
  /** The exit code that the process will end with. */
  readonly code: number;

  constructor(code: number) {
    super(`The process is exiting with code ${code}. This error only unwinds the caller of exit(): let it pass.`);
    this.code = code;
    // Nothing has gone wrong anywhere: where it is printed, it is one line.
    this.stack = `SystemExit: ${this.message}`;
  }

  /** What `console.error()` prints of it. Source: https://nodejs.org/api/util.html#custom-inspection-functions-on-objects */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return String(this.stack);
  }
}

recogniseInAllCopies(SystemExit);

/** Copies of this package see one another's. */
const OUTSIDE = Symbol.for("atexit.exit-outside-of-cleanups");

/** Says that no cleanup has asked for this exit: a cleanup that meets it has waited for what the exit has ended. */
export function markAsOutside(error: SystemExit): void {
  Object.defineProperty(error, OUTSIDE, { value: true });
}

export function isOutside(error: unknown): boolean {
  return (error as { [OUTSIDE]?: true })[OUTSIDE] === true;
}
