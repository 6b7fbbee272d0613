// Keeps SystemExit, which only unwinds the caller of exit(), from everybody's
// eyes: no listener, no report, no warning.

import { isSystemExit } from "../registry/exit-reason.ts";
import type { ExitHandler } from "./exit-handler.ts";

/** Emits an event; a listener that exits is the last, and no error. */
export function emitToExit(emit: () => boolean, onExit?: () => void): boolean {
  try {
    return emit();
  } catch (error) {
    if (!isSystemExit(error)) throw error;
    onExit?.();
    return true;
  }
}

export function hideSystemExit(): ExitHandler {
  /** With --unhandled-rejections=warn a second warning follows, which does not say what it is about. */
  let hideFollowing = 0;
  /** Promises whose rejection was hidden: that they are caught later is hidden, too. */
  const hidden = new WeakSet<object>();
  /** The error for which a monitor has exited, if one has: bare Node would not have come to its next event. */
  let exitedFor: unknown[] = [];
  return {
    intercepts: {
      uncaughtExceptionMonitor(emit, [error]) {
        exitedFor = [];
        return isSystemExit(error) || emitToExit(emit, () => exitedFor.push(error));
      },
      uncaughtException: (emit, [error]) => isSystemExit(error) || exitedFor.includes(error) || emit(),
      rejectionHandled: (emit, [promise]) => hidden.has(promise as object) || emit(),
      unhandledRejection(emit, [reason, promise]) {
        if (isSystemExit(reason)) {
          hidden.add(promise as object);
          return true;
        }
        return emitToExit(emit);
      },
      warning(emit, [warning]) {
        const { name, message } = (warning ?? {}) as { name?: unknown; message?: unknown };
        if (name !== "UnhandledPromiseRejectionWarning") return emit();
        if (String(message).startsWith("SystemExit")) {
          hideFollowing += 1;
          return true;
        }
        if (hideFollowing > 0 && String(message).startsWith("Unhandled promise rejection.")) {
          hideFollowing -= 1;
          return true;
        }
        return emit();
      },
    },
  };
}
