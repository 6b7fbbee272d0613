// Errors in Deno and Bun. Deno emits them only where it sees a listener, so there is
// one, which decides nothing: the interceptors in front of it do. Both report an
// error in their own way, so after the cleanups it goes back to them.

import type { EventEmitter } from "node:events";
import { isMainThread, setImmediate } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import type { ExitHandler } from "./exit-handler.ts";
import { isListenerOfStack, markListener } from "./stacks-of-process.ts";

type ErrorEvent = "uncaughtException" | "unhandledRejection";

const emitter = process as unknown as EventEmitter;

/** Whether uncaught errors are emitted only where a real listener is. */
export const isDeno = process.versions["deno"] !== undefined;

/**
 * Whether an error that is thrown once more is shown where that was, and one that a
 * promise is rejected with is not. In a worker thread that rejection would be lost.
 */
export const isBun = process.versions["bun"] !== undefined;

/** Whether errors are reported in another way than Node's. */
export const reportsInItsOwnWay = isDeno || isBun;

/** An error that no listener of the program takes goes back to the runtime. */
const onError = markListener((error: unknown, origin: unknown): void => {
  if (othersListenTo("uncaughtException")) return;
  handBack(error, origin === "unhandledRejection" ? origin : "uncaughtException");
});

/** Without a listener a rejection is an uncaught exception, as in Node. */
const onRejection = markListener((reason: unknown): void => {
  if (othersListenTo("unhandledRejection")) return;
  emitter.emit("uncaughtException", reason, "unhandledRejection");
});

/** Whether the program itself listens to an event. */
export function othersListenTo(event: string): boolean {
  const listeners = emitter.listeners(event);
  return listeners.length > 0 && !listeners.every(isListenerOfStack);
}

/** Lets an error happen once more, with nobody listening: the runtime reports it and ends the process. */
export function handBack(error: unknown, kind: ErrorEvent): void {
  stopListening();
  const rethrow = () => {
    throw error;
  };
  const isRejection = (isBun && isMainThread) || (isDeno && kind === "unhandledRejection");
  setImmediate(() => {
    if (isRejection) void Promise.resolve().then(rethrow);
    else rethrow();
  });
}

/** Leaves what is still to come to the runtime. */
export function stopListening(): void {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    for (const listener of emitter.listeners(event)) {
      if (isListenerOfStack(listener)) emitter.off(event, listener as () => void);
    }
  }
}

export function errorListeners(): ExitHandler {
  return {
    install() {
      emitter.on("uncaughtException", onError).on("unhandledRejection", onRejection);
    },
    uninstall: stopListening,
  };
}
