// This thread's stack, as the core has made it: this part is a file of its own,
// and holds no second copy of the core.

import "../index.js";
import { KEY } from "../key.js";
import type { Thread } from "../thread.js";

/** As much of the core's thread as this part uses. */
export type Core = Pick<Thread, "add" | "exiting">;

export function theThread(): Core {
  return (process as unknown as { [KEY]: Core })[KEY];
}
