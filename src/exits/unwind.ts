// Unwinds the caller of process.exit() while cleanups run, so that nobody sees it: who
// looks at the error, to print or record it, is unwound in turn.

import { setImmediate } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { SystemExit } from "../registry/system-exit.ts";
import { callsEmitProperty } from "./native-events.ts";

/** What is read of an error to show it; util.inspect() and String() come by these. */
const SHOWN = ["message", "stack", "toJSON"] as const;

let isTurnOfUnwinding = false;

/**
 * Whether process.exit() was called in this turn of the event loop: what fails in it,
 * outside of cleanups, is the aftermath of a call that would not have returned.
 */
export function isUnwinding(): boolean {
  return isTurnOfUnwinding;
}

/** @throws a {@link SystemExit} that is seen by nobody who does not know it */
export function unwind(code: number): never {
  isTurnOfUnwinding = true;
  setImmediate(() => {
    isTurnOfUnwinding = false;
  });
  const error = new SystemExit(code);
  if (mayBeUnwoundAnywhere()) hide(error);
  throw error;
}

function hide(error: SystemExit): void {
  for (const property of SHOWN) {
    const value: unknown = Reflect.get(error, property);
    const get = () => {
      if (isReadByNode()) return value;
      throw error;
    };
    Object.defineProperty(error, property, { configurable: true, enumerable: false, get });
  }
}

/** What an uncaughtExceptionCaptureCallback throws, and in Bun a listener, ends the process at once. */
function mayBeUnwoundAnywhere(): boolean {
  return callsEmitProperty() && !process.hasUncaughtExceptionCaptureCallback();
}

/** Streams read the stack of what destroys them, for the sake of V8's memory, and Node's warnings do. */
function isReadByNode(): boolean {
  const [, , , reader] = new Error().stack?.split("\n") ?? [];
  return reader?.includes("(node:internal/") === true;
}
