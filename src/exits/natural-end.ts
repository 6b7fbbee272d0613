// The event loop is empty. The end stays Node's own: status 13 of a top-level
// await that never settles is decided after `beforeExit`, and only there.

import { clearImmediate, setImmediate, setTimeout } from "../builtin.js";
import { describeExit } from "../exit.js";
import type { Leaving, WayOut } from "./way-out.js";

export function naturalEnd(leaving: Leaving): WayOut {
  const { stack, shutdown } = leaving;
  /** Set while one empty turn of the loop tells whether other listeners have begun new work. */
  let probe: NodeJS.Immediate | undefined;
  let probing = false;
  /** Whether cleanups have run, and this `beforeExit` is only the echo of theirs. */
  let cleanedUp = false;

  const begin = (): void => {
    const exit = describeExit({
      kind: leaving.parent === "connected" ? "end" : "disconnect",
      code: Number(process.exitCode ?? 0),
    });
    const end = () => {
      cleanedUp = true;
      if (shutdown.code !== undefined) process.exitCode = shutdown.code;
      shutdown.rest();
      // What a cleanup has left running has the rest of the grace period; the loop does not wait for this timer.
      setTimeout(() => leaving.exitNow(), shutdown.left).unref();
    };
    if (shutdown.begin(exit, end)) end();
  };

  return {
    hooks: {
      beforeExit(emit) {
        if (shutdown.running) return true;
        if (probing) {
          probing = false;
          clearImmediate(probe);
          if (stack.size > 0) begin();
          return true;
        }
        if (cleanedUp) {
          if (stack.size > 0) begin();
          return true;
        }
        const others = process.listenerCount("beforeExit") > 0;
        const heard = emit();
        if (stack.size === 0 || shutdown.running) return heard;
        if (!others) {
          begin();
          return heard;
        }
        // Others may have started new work, and cleanups wait for that too. One
        // turn of the loop shows it: an unreferenced immediate runs after that
        // turn only if something else keeps the loop alive.
        probing = true;
        setImmediate(() => {
          if (!probing) return;
          probe = setImmediate(() => {
            probing = false;
          });
          probe.unref();
        });
        return heard;
      },
    },
  };
}
