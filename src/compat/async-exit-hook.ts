// The API of async-exit-hook 2: hooks that call back, all begun at once, and events
// that end the process.
// Source: https://www.npmjs.com/package/async-exit-hook

import type { EventEmitter } from "node:events";
import { exiting, register, type Registration } from "../index.ts";
import { clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

declare namespace exitHook {
  export type Hook = (callback: () => void) => void;
  export type ErrorHook = (error: Error, callback: () => void) => void;
  /** Returns whether the event is to be ignored. */
  export type Filter = (...args: never[]) => unknown;
}

type AnyHook = (...args: unknown[]) => unknown;
type Listener = (...args: unknown[]) => void;

/** Hooked from the first hook on, with the codes that they end the process with. */
const DEFAULTS: readonly (readonly [event: string, code?: number])[] = [
  ["exit"],
  ["beforeExit", 0],
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGBREAK", 149],
];

const emitter: EventEmitter = process;
const hooks: AnyHook[] = [];
const errorHooks: AnyHook[] = [];
const events = new Map<string, Listener>();
const filters = new Map<string, exitHook.Filter[]>();
const errorEvents = new Set<string>();
let registration: Registration | undefined;
/** How long hooks are waited for, in milliseconds. */
let limit = 10_000;
/** What has ended the process, where that was an error that is handled here. */
let caught: { readonly error: unknown } | undefined;

/** Calls a hook when the process ends; one with a parameter is waited for until it calls that. */
function exitHook(hook: exitHook.Hook | (() => void)): void {
  hooks.push(hook as AnyHook);
  if (hooks.length > 1) return;
  for (const [event, code] of DEFAULTS) exitHook.hookEvent(event, code);
  exitHook.hookEvent("message", 0, (message: unknown) => message !== "shutdown");
}

/** Lets an event end the process, with a code, unless the filter says that it is to be ignored. */
exitHook.hookEvent = (event: string, code?: number | null, filter?: exitHook.Filter): void => {
  watch();
  const list = filters.get(event) ?? [];
  filters.set(event, filter === undefined ? list : [...list, filter]);
  const isIgnored = (args: unknown[]) => filters.get(event)?.some((ignores) => ignores(...(args as never[]))) === true;
  const listener = (...args: unknown[]) => {
    if (isIgnored(args) || exiting.aborted) return;
    if (code === undefined || code === null) void registration?.run();
    else process.exit(code);
  };
  events.set(event, listener);
  // These two are ways out of this package, which waits for hooks on both.
  if (event !== "exit" && event !== "beforeExit") emitter.on(event, listener);
};

/** Lets an event no longer end the process. */
exitHook.unhookEvent = (event: string): void => {
  const listener = events.get(event);
  if (listener !== undefined) emitter.off(event, listener);
  events.delete(event);
  filters.delete(event);
};

/** Returns the events that end the process. */
exitHook.hookedEvents = (): string[] => [...events.keys()];

/** Calls a hook with an uncaught error, before the other hooks; the process ends with 1. */
exitHook.uncaughtExceptionHandler = (hook: exitHook.ErrorHook | ((error: Error) => void)): void =>
  hookError("uncaughtException", hook as AnyHook);

/** Calls a hook with the reason of an unhandled rejection, before the other hooks; the process ends with 1. */
exitHook.unhandledRejectionHandler = (hook: exitHook.ErrorHook | ((error: Error) => void)): void =>
  hookError("unhandledRejection", hook as AnyHook);

/** Sets how long hooks are waited for, in milliseconds; 10,000 by default. */
exitHook.forceExitTimeout = (milliseconds: number): void => {
  limit = milliseconds;
};

function hookError(event: "uncaughtException" | "unhandledRejection", hook: AnyHook): void {
  watch();
  errorHooks.push(hook);
  if (errorEvents.has(event)) return;
  errorEvents.add(event);
  process.once(event, (error: unknown) => {
    caught = { error };
    process.nextTick(() => process.exit(1)); // the program's own listeners come first, as there
  });
}

function watch(): void {
  registration ??= register({ name: "async-exit-hook" }, callAll);
}

/** Begins all hooks; resolves when each has called back, or at the end of the time. */
function callAll(): void | Promise<void> {
  const { kind, signal } = exiting.reason ?? {};
  const event = kind === "end" ? "beforeExit" : (signal ?? "exit");
  const isUnhooked = DEFAULTS.some(([name]) => name === event) && !events.has(event) && hooks.length > 0;
  if (isUnhooked && caught === undefined) return undefined;
  const waits: Promise<void>[] = [];
  const call = (hook: AnyHook, given: unknown[]) => {
    if (hook.length <= given.length) return void hook(...given);
    waits.push(new Promise<void>((done) => void hook(...given, () => done())));
  };
  if (caught !== undefined) for (const hook of errorHooks) call(hook, [caught.error]);
  for (const hook of hooks) call(hook, []);
  if (waits.length === 0) return undefined;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limit);
    void Promise.all(waits).then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

export default exitHook;
