// The ways out of a runtime that does not call the property `process.emit`: Bun.
// There the interceptors hear of events by real listeners, which hold no other
// listener back.

import type { EventEmitter } from "node:events";
import { process } from "../platform/process.ts";
import { handBack, othersListenTo } from "./error-listeners.ts";
import type { EmitInterceptor, InterceptedEvent } from "./exit-handler.ts";
import { markListener } from "./stacks-of-process.ts";

const emitter = process as unknown as EventEmitter;

type Listener = (...args: unknown[]) => void;

let isCalled: boolean | undefined;

let isInErrorEvent = false;

/** Whether listeners of `uncaughtException` are being called: what one of them throws ends the process at once. */
export function isEmittingError(): boolean {
  return isInErrorEvent;
}

/** In front of all others; what the runtime does after them all comes first after this. */
const onErrorBegins = markListener(() => {
  isInErrorEvent = true;
  process.nextTick(() => {
    isInErrorEvent = false;
  });
});

/** Reports whether the runtime calls the property `process.emit` for its own events: one is made, and looked for. */
export function callsEmitProperty(): boolean {
  if (isCalled !== undefined) return isCalled;
  isCalled = false;
  const descriptor = Object.getOwnPropertyDescriptor(process, "emit");
  const { emit } = process;
  const value = (...args: unknown[]): unknown => {
    isCalled = true;
    return Reflect.apply(emit, process, args);
  };
  const event = Symbol("atexit.probe");
  const listener = () => {};
  emitter.on("newListener", listener);
  try {
    Object.defineProperty(process, "emit", { configurable: true, writable: true, value });
    emitter.on(event, listener);
  } finally {
    if (descriptor === undefined) Reflect.deleteProperty(process, "emit");
    else Object.defineProperty(process, "emit", descriptor);
    emitter.off(event, listener).off("newListener", listener);
  }
  return isCalled;
}

/** The events that are listened to. `exit` is not one: what is thrown in it does not end process.exit() there. */
const EVENTS = ["beforeExit", "disconnect", "uncaughtException", "unhandledRejection"] as const;

export class NativeEvents {
  readonly #listeners: readonly (readonly [event: string, listener: Listener])[];

  /** @param interceptorOf asked once for each event */
  constructor(interceptorOf: (event: InterceptedEvent) => EmitInterceptor) {
    const intercepts = new Map(EVENTS.map((event) => [event, interceptorOf(event)] as const));
    /** Returns whether anybody takes the event: an interceptor, or a listener of the program. */
    const isTaken = (event: (typeof EVENTS)[number], args: readonly unknown[]) =>
      intercepts.get(event)?.(() => othersListenTo(event), args) ?? false;
    const uncaught = (error: unknown, origin: unknown) => {
      if (isTaken("uncaughtException", [error, origin])) return;
      handBack(error, origin === "unhandledRejection" ? origin : "uncaughtException");
    };
    this.#listeners = [
      ["beforeExit", (...args) => void isTaken("beforeExit", args)],
      ["disconnect", (...args) => void isTaken("disconnect", args)],
      ["uncaughtException", uncaught],
      [
        "unhandledRejection",
        // Without a listener a rejection is an uncaught exception, as in Node.
        (reason, promise) => isTaken("unhandledRejection", [reason, promise]) || uncaught(reason, "unhandledRejection"),
      ],
    ];
    for (const [, listener] of this.#listeners) markListener(listener);
  }

  install(): void {
    for (const [event, listener] of this.#listeners) emitter.on(event, listener);
    emitter.prependListener("uncaughtException", onErrorBegins);
  }

  uninstall(): void {
    for (const [event, listener] of this.#listeners) emitter.off(event, listener);
    emitter.off("uncaughtException", onErrorBegins);
  }
}
