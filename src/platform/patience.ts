// On Windows a file that another program has open, a scanner for viruses or a child
// that is about to end, cannot be removed for a moment.

import { block } from "./block.ts";
import { now } from "./node-builtins.ts";
import { system } from "./this-system.ts";

const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;

/**
 * Returns what the action returns, which is called again while it fails with an error
 * that may pass on this system. Blocks.
 *
 * @param until until when, by now()
 * @throws the action's error, at last
 */
export function patiently<T>(until: number, action: () => T): T {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      return action();
    } catch (error) {
      const mayPass = system.passingErrors.includes((error as NodeJS.ErrnoException).code ?? "");
      if (!mayPass || now() >= until) throw error;
      block(pause);
    }
  }
}
