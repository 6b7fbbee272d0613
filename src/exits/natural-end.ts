// The event loop is empty. The end stays Node's own: status 13 of a top-level
// await that never settles is decided after `beforeExit`, and only there.

import { setTimeout } from "../platform/node-builtins.ts";
import { describeExit } from "../registry/exit-reason.ts";
import { othersListenTo } from "./error-listeners.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { emitToExit } from "./hide-system-exit.ts";
import { IdleTurn } from "./idle-turn.ts";
import type { IpcDisconnect } from "./ipc-disconnect.ts";
import { keepUnsettledStatus } from "./node-internals.ts";
import { process } from "../platform/process.ts";
import { hasStacksBehind } from "./stacks-of-process.ts";

export function naturalEnd({ stack, shutdown, endProcess }: ExitContext, ipc: IpcDisconnect): ExitHandler {
  /** Set while a turn of the loop tells whether other listeners have begun new work. */
  let turn: IdleTurn | undefined;
  /** Whether cleanups have run: this `beforeExit` is only the echo of theirs, and others have heard it. */
  let cleanedUp = false;
  /** The status of a top-level await that was unsettled when the cleanups began: they may settle it. */
  let unsettled = 0;
  const code = () => Number(process.exitCode ?? unsettled);

  const begin = (): void => {
    unsettled ||= keepUnsettledStatus();
    const exit = describeExit({ kind: ipc.isConnected ? "end" : "disconnect", code: code() });
    const end = () => {
      cleanedUp = true;
      if (shutdown.requestedCode !== undefined) process.exitCode = shutdown.requestedCode;
      shutdown.finish();
      // What a cleanup has left running has the rest of the grace period; the loop does not wait for this timer.
      setTimeout(() => endProcess(code()), shutdown.timeLeft).unref();
    };
    if (shutdown.begin(exit, end)) end();
  };

  return {
    intercepts: {
      beforeExit(emit) {
        if (shutdown.isRunning) return true;
        const isEcho = cleanedUp || turn?.wasEmpty === true;
        turn?.end();
        turn = undefined;
        if (isEcho) {
          if (stack.size > 0) begin();
          return hasStacksBehind(stack) ? emit() : true;
        }
        if (stack.size === 0) return emit();
        // A signal may be on its way, and others may start new work now, which
        // cleanups wait for: one more turn of the loop tells.
        turn = new IdleTurn(othersListenTo("beforeExit"));
        // What is thrown here by a listener that exits would end the process in Deno.
        return emitToExit(() => {
          const hadListeners = emit();
          turn?.watch();
          return hadListeners;
        });
      },
    },
  };
}
