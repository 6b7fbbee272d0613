// The `exit` event: the last moment of JavaScript. What is left on the stack
// now was reached past process.exit, by a function that was kept from before
// this package; it is called, and can no longer be awaited.

import { describeExit } from "../exit.js";
import type { Leaving, WayOut } from "./way-out.js";

/** Why cleanups that are still asynchronous by now are not awaited. */
export const WITHOUT_WAITING = "the process ended without waiting";

export function exitEvent({ stack, shutdown }: Leaving): WayOut {
  return {
    hooks: {
      exit(emit, [code]) {
        try {
          return emit();
        } finally {
          if (stack.size > 0) {
            shutdown.runWithoutWaiting(describeExit({ kind: "exit", code: Number(code ?? 0) }), WITHOUT_WAITING);
          }
          // The exit listeners have had the last word; a failed cleanup turns 0 into 1, and only 0.
          if (shutdown.failed && Number(code ?? 0) === 0 && Number(process.exitCode ?? 0) === 0) process.exitCode = 1;
        }
      },
    },
  };
}
