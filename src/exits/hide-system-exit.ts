// Keeps SystemExit, which only unwinds the caller of exit(), from everybody's
// eyes: no listener, no report, no warning.

import { isSystemExit } from "../registry/exit-reason.ts";
import type { EmitInterceptor, ExitHandler } from "./exit-handler.ts";

const hide: EmitInterceptor = (emit, [error]) => (isSystemExit(error) ? true : emit());

export function hideSystemExit(): ExitHandler {
  /** With --unhandled-rejections=warn a second warning follows, which does not say what it is about. */
  let hideFollowing = 0;
  /** Promises whose rejection was hidden: that they are caught later is hidden, too. */
  const hidden = new WeakSet<object>();
  return {
    intercepts: {
      uncaughtExceptionMonitor: hide,
      uncaughtException: hide,
      rejectionHandled: (emit, [promise]) => (hidden.has(promise as object) ? true : emit()),
      unhandledRejection(emit, [reason, promise]) {
        if (isSystemExit(reason)) {
          hidden.add(promise as object);
          return true;
        }
        try {
          return emit();
        } catch (error) {
          if (isSystemExit(error)) return true; // a listener that exits
          throw error;
        }
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
