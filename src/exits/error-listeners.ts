// Real listeners of uncaught errors, for Deno: it emits them only where it sees
// a listener. They decide nothing: the interceptors in front of them do.

import type { EventEmitter } from "node:events";
import { setImmediate } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import type { ExitHandler } from "./exit-handler.ts";

type ErrorEvent = "uncaughtException" | "unhandledRejection";

/** Whether uncaught errors are emitted only where a real listener is. */
export const needsErrorListeners = process.versions["deno"] !== undefined;

/** An error that no listener of the program takes goes back to the runtime, which reports it in its own way. */
const onError = (error: unknown, origin: unknown): void => {
  if (othersListenTo("uncaughtException")) return;
  handBack(error, origin === "unhandledRejection" ? origin : "uncaughtException");
};

/** Without a listener a rejection is an uncaught exception, as in Node. */
const onRejection = (reason: unknown): void => {
  if (othersListenTo("unhandledRejection")) return;
  (process as unknown as EventEmitter).emit("uncaughtException", reason, "unhandledRejection");
};

/** Whether the program itself listens to an event of errors. */
export function othersListenTo(event: ErrorEvent): boolean {
  if (!needsErrorListeners) return process.listenerCount(event) > 0;
  return (process as unknown as EventEmitter)
    .listeners(event)
    .some((listener) => listener !== onError && listener !== onRejection);
}

/** Lets an error happen once more, with nobody listening: the runtime reports it and ends the process. */
export function handBack(error: unknown, kind: ErrorEvent): void {
  stopListening();
  const rethrow = () => {
    throw error;
  };
  const isRejection = needsErrorListeners && kind === "unhandledRejection";
  setImmediate(() => {
    if (isRejection) void Promise.resolve().then(rethrow);
    else rethrow();
  });
}

function stopListening(): void {
  process.off("uncaughtException", onError);
  process.off("unhandledRejection", onRejection);
}

export function errorListeners(): ExitHandler {
  return {
    install() {
      process.on("uncaughtException", onError);
      process.on("unhandledRejection", onRejection);
    },
    uninstall: stopListening,
  };
}
