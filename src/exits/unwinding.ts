// Keeps SystemExit, which only unwinds the caller of exit(), from everybody's
// eyes: no listener, no report, no warning.

import { isSystemExit } from "../exit.js";
import type { Hook, WayOut } from "./way-out.js";

const hide: Hook = (emit, [error]) => (isSystemExit(error) ? true : emit());

export function unwinding(): WayOut {
  /** With --unhandled-rejections=warn a second warning follows, which does not say what it is about. */
  let hideFollowing = 0;
  return {
    hooks: {
      uncaughtExceptionMonitor: hide,
      uncaughtException: hide,
      unhandledRejection(emit, [reason]) {
        if (isSystemExit(reason)) return true;
        try {
          return emit();
        } catch (error) {
          if (isSystemExit(error)) return true; // a listener that exits
          throw error;
        }
      },
      warning(emit, [warning]) {
        const { name, message } = (warning ?? {}) as Error;
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
