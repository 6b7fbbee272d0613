// Bounds the time of synchronous code. A cleanup that blocks the event loop
// lets no timer fire; V8 can still be told from another thread to stop it, and
// the `timeout` of node:vm is that thread.
// Source: https://nodejs.org/api/vm.html, "timeout".

import { builtin } from "./builtin.js";
import { canStartThread } from "./threads.js";

const SLOT = Symbol.for("atexit.interruptible");

type Slotted = { [SLOT]?: (() => void) | undefined };

let script: import("node:vm").Script | undefined;

/**
 * Calls `body`, which must not throw, and stops it after `limit` milliseconds.
 *
 * Native calls that block (a synchronous read, `execSync`) end first: only
 * JavaScript can be stopped. Where no thread can be started, nothing is.
 *
 * @returns whether `body` came to its end
 */
export function interruptible(limit: number, body: () => void): boolean {
  if (!canStartThread()) {
    body();
    return true;
  }
  let entered = false;
  let ended = false;
  const slots = globalThis as Slotted;
  const outer = slots[SLOT];
  Object.defineProperty(slots, SLOT, {
    configurable: true,
    enumerable: false,
    writable: true,
    value: () => {
      entered = true;
      body();
      ended = true;
    },
  });
  try {
    script ??= new (builtin("vm").Script)(`globalThis[Symbol.for(${JSON.stringify(SLOT.description)})]()`);
    script.runInThisContext({ timeout: Math.max(1, Math.ceil(limit)), displayErrors: false });
  } catch {
    // Either the time is up, which the return value tells, or this global
    // object is not the main context's own, and the script found nothing there.
    if (!entered) {
      body();
      ended = true;
    }
  } finally {
    if (outer === undefined) delete slots[SLOT];
    else slots[SLOT] = outer;
  }
  return ended;
}
