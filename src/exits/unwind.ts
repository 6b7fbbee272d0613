// Unwinds the caller of process.exit() while cleanups run, so that nobody sees it: a
// catch clause that looks at the error, to print or record it, is unwound in turn.

import { isInside } from "../execution/cleanup-context.ts";
import { setImmediate } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { stackFrames } from "../platform/stack-frames.ts";
import { isOutside, markAsOutside, SystemExit } from "../registry/system-exit.ts";
import { callsEmitProperty } from "./native-events.ts";
import { nodeProcess } from "./node-internals.ts";

/** What is read of an error to show it; util.inspect() and String() come by these. */
const SHOWN = ["message", "stack", "toJSON"] as const;

/** The errors that unwind whoever looks at them. */
const hidden = new WeakSet<object>();

let isTurnOfUnwinding = false;
let isWatchingUncaught = false;
/** Whether Node is about to end the process for an error that nobody has caught. */
let isFatal = false;

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
  if (!isInside()) markAsOutside(error);
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
      if (mayBeSeen(error)) return value;
      throw error;
    };
    const set = (given: unknown) =>
      Object.defineProperty(error, property, { configurable: true, enumerable: false, writable: true, value: given });
    Object.defineProperty(error, property, { configurable: true, enumerable: false, get, set });
  }
}

/** What a look would unwind has to go on: the cleanups themselves, the last listeners, and what Node does at the end. */
function mayBeSeen(error: SystemExit): boolean {
  if (!hidden.has(error) || isFatal || nodeProcess._exiting === true) return true;
  return (isInside() && isOutside(error)) || isReadByNode();
}

/**
 * Lets all be looked at in what Node does about an error that nobody has caught, which
 * may have one as its cause (a capture callback, a domain, a monitor, New Relic's
 * function in front of them): whatever is thrown there ends the process at once.
 */
function showUncaught(): void {
  const handle = nodeProcess._fatalException;
  if (isWatchingUncaught || handle === undefined) return;
  isWatchingUncaught = true;
  nodeProcess._fatalException = (error, ...rest) => {
    hidden.delete(Object(error) as object);
    const before = isFatal;
    isFatal = true;
    try {
      return handle.call(process, error, ...rest);
    } finally {
      isFatal = before;
    }
  };
}

/** Streams read the stack of what destroys them, for the sake of V8's memory, and Node's warnings do. */
function isReadByNode(): boolean {
  const [, , , reader] = stackFrames(4);
  // What prints an error is the program's reader.
  return reader !== undefined && /\(node:internal\/(?!util\/inspect)/.test(reader);
}
