// One stack for each thread, whichever copy of this package is asked: several
// versions may be installed in one program, and their cleanups have one order.

import { Thread } from "./thread.js";

/** The number rises when copies can no longer work on one another's threads. */
const KEY = Symbol.for("atexit.thread.1");

/** This thread's, made by the first copy that is loaded. */
export function sharedThread(): Thread {
  const holder = process as { [KEY]?: Thread };
  if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { value: new Thread() });
  return holder[KEY] as Thread;
}
