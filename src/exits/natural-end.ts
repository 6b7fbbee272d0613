// The event loop is empty. The end stays Node's own: status 13 of a top-level
// await that never settles is decided after `beforeExit`, and only there.

import { setTimeout } from "../builtin.js";
import { describeExit } from "../exit.js";
import { EmptyTurn } from "./empty-turn.js";
import type { Leaving, WayOut } from "./way-out.js";

export function naturalEnd(leaving: Leaving): WayOut {
  const { stack, shutdown } = leaving;
  /** Set while a turn of the loop tells whether other listeners have begun new work. */
  let turn: EmptyTurn | undefined;
  /** Whether cleanups have run: this `beforeExit` is only the echo of theirs, and others have heard it. */
  let cleanedUp = false;

  const begin = (): void => {
    leaving.exitCode = process.exitCode;
    const exit = describeExit({
      kind: leaving.parent === "connected" ? "end" : "disconnect",
      code: Number(process.exitCode ?? 0),
    });
    const end = () => {
      cleanedUp = true;
      if (shutdown.code !== undefined) process.exitCode = shutdown.code;
      shutdown.rest();
      // What a cleanup has left running has the rest of the grace period; the loop does not wait for this timer.
      setTimeout(() => leaving.exitNow(Number(process.exitCode ?? 0)), shutdown.left).unref();
    };
    if (shutdown.begin(exit, end)) end();
  };

  return {
    hooks: {
      beforeExit(emit) {
        if (shutdown.running) return true;
        const echo = cleanedUp || turn?.wasEmpty === true;
        turn?.end();
        turn = undefined;
        if (echo) {
          if (stack.size > 0) begin();
          return true;
        }
        if (stack.size === 0) return emit();
        // A signal may be on its way, and others may start new work now, which
        // cleanups wait for: one more turn of the loop tells.
        turn = new EmptyTurn(process.listenerCount("beforeExit") > 0);
        const heard = emit();
        turn.watch();
        return heard;
      },
    },
  };
}
