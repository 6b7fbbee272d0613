// Unwinds the caller of process.exit() while cleanups run, so that nobody sees it: a
// catch clause that looks at the error, to print or record it, is unwound in turn.

import { setImmediate } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { SystemExit } from "../registry/system-exit.ts";
import { callsEmitProperty } from "./native-events.ts";
import { nodeProcess } from "./node-internals.ts";

/** What is read of an error to show it; util.inspect() and String() come by these. */
const SHOWN = ["message", "stack", "toJSON"] as const;

/** The errors that unwind whoever looks at them. */
const hidden = new WeakSet<object>();

let isTurnOfUnwinding = false;
let isWatchingUncaught = false;

/**
 * Whether process.exit() was called in this turn of the event loop: what fails in it,
 * outside of cleanups, is the aftermath of a call that would not have returned.
 */
export function isUnwinding(): boolean {
  return isTurnOfUnwinding;
}

/** @throws a {@link SystemExit} that no `catch` prints or records */
export function unwind(code: number): never {
  isTurnOfUnwinding = true;
  setImmediate(() => {
    isTurnOfUnwinding = false;
  });
  const error = new SystemExit(code);
  // In Bun listeners hear of it, and what one of them throws ends the process.
  if (callsEmitProperty()) hide(error);
  throw error;
}

function hide(error: SystemExit): void {
  showUncaught();
  hidden.add(error);
  for (const property of SHOWN) {
    const value: unknown = Reflect.get(error, property);
    const get = () => {
      if (!hidden.has(error) || isReadByNode()) return value;
      throw error;
    };
    Object.defineProperty(error, property, { configurable: true, enumerable: false, get });
  }
}

/**
 * Lets an error be looked at that nobody has caught: in what Node does about it (a
 * capture callback, a domain, New Relic's function in front of both), whatever is
 * thrown ends the process at once.
 */
function showUncaught(): void {
  const handle = nodeProcess._fatalException;
  if (isWatchingUncaught || handle === undefined) return;
  isWatchingUncaught = true;
  nodeProcess._fatalException = (error, ...rest) => {
    hidden.delete(Object(error) as object);
    return handle.call(process, error, ...rest);
  };
}

/** Streams read the stack of what destroys them, for the sake of V8's memory, and Node's warnings do. */
function isReadByNode(): boolean {
  const [, , , reader] = String(new Error().stack).split("\n");
  return reader?.includes("(node:internal/") === true;
}
