// One stack for each thread, whichever copy of this package is asked: several
// versions may be installed in one program, and their cleanups have one order.

import { KEY } from "./key.js";
import { Thread } from "./thread.js";

/** This thread's, made by the first copy that is loaded. */
export function sharedThread(): Thread {
  const holder = process as { [KEY]?: Thread };
  if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { value: new Thread() });
  return holder[KEY] as Thread;
}
