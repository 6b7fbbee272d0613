// The IPC channel to the parent closes: the parent is gone, or has let go. The
// end that may follow is Node's own; here it only gets its name.

import type { EmitInterceptor, ExitHandler } from "./exit-handler.ts";

export class IpcDisconnect implements ExitHandler {
  #state: "connected" | "disconnecting" | "disconnected" = "connected";

  readonly intercepts = {
    disconnect: ((emit) => {
      this.#state = "disconnecting"; // a cluster worker calls process.exit() in a listener
      try {
        return emit();
      } finally {
        this.#state = "disconnected";
      }
    }) satisfies EmitInterceptor,
  };

  /** Whether the listeners of `disconnect` are being called. */
  get isDisconnecting(): boolean {
    return this.#state === "disconnecting";
  }

  /** Whether there is still a parent, or never was one. */
  get isConnected(): boolean {
    return this.#state === "connected";
  }
}
