// Bounds the time of synchronous code. A cleanup that blocks the event loop
// lets no timer fire; V8 can still be told from another thread to stop it, and
// the `timeout` of node:vm is that thread.
// Source: https://nodejs.org/api/vm.html, "timeout".

import { builtin } from "../platform/node-builtins.ts";
import { mainGlobal } from "../platform/process.ts";
import { hasThreadCapacity } from "../platform/thread-capacity.ts";

/** A call under a time limit, as the script finds it. */
interface LimitedCall {
  readonly body: () => void;
  state: "waiting" | "entered" | "ended";
}

/** Where the script finds the call: it can be given nothing else. */
const SLOT = Symbol.for("atexit.limited-call");

let script: import("node:vm").Script | undefined;

/**
 * Calls `body`, which must not throw, and stops it after `limit` milliseconds.
 *
 * Native calls that block (a synchronous read, `execSync`) end first: only
 * JavaScript can be stopped. Where no thread can be started, nothing is.
 *
 * @returns whether `body` came to its end
 */
export function withTimeLimit(limit: number, body: () => void): boolean {
  if (!hasThreadCapacity()) {
    body();
    return true;
  }
  const call: LimitedCall = { body, state: "waiting" };
  const slots = mainGlobal as { [SLOT]?: LimitedCall };
  const outer = slots[SLOT];
  Object.defineProperty(slots, SLOT, { configurable: true, enumerable: false, writable: true, value: call });
  try {
    script ??= compile();
    script.runInThisContext({ timeout: Math.max(1, Math.ceil(limit)), displayErrors: false });
  } catch {
    // The time is up, which the state tells.
  } finally {
    if (outer === undefined) delete slots[SLOT];
    else slots[SLOT] = outer;
  }
  if (call.state === "waiting") {
    // This global object is not the main context's own, and the script found nothing there.
    body();
    return true;
  }
  return call.state === "ended";
}

function compile(): import("node:vm").Script {
  const call = `globalThis[Symbol.for(${JSON.stringify(SLOT.description)})]`;
  return new (builtin("vm").Script)(`${call}.state = "entered"; ${call}.body(); ${call}.state = "ended";`);
}
