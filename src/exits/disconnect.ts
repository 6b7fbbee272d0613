// The IPC channel to the parent closes: the parent is gone, or has let go. The
// end that may follow is Node's own; here it only gets its name.

import type { Leaving, WayOut } from "./way-out.js";

export function disconnect(leaving: Leaving): WayOut {
  return {
    hooks: {
      disconnect(emit) {
        leaving.parent = "disconnecting"; // a cluster worker calls process.exit() in a listener
        try {
          return emit();
        } finally {
          leaving.parent = "disconnected";
        }
      },
    },
  };
}
