// The API of close-with-grace 2: one function for the end of the process, which
// then ends with 0, or with 1 after an error.
// Source: https://www.npmjs.com/package/close-with-grace

import { configure, exit, exiting, exitNow, register, SystemExit } from "../index.ts";
import { builtin, clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

// The types are where a program that requires this module finds them: on the function.
declare namespace closeWithGrace {
  export type Logger = { error(message?: unknown, ...more: unknown[]): void };
  export type Signals = (typeof SIGNALS)[number];
  export type AllEvents = Signals | "uncaughtException" | "unhandledRejection" | "beforeExit";
  export interface Options {
    /** How long the function may take, in milliseconds; 10,000 by default, for ever where it is no number. */
    delay?: number | undefined | null | false;
    /** Is told of timeouts, second signals and second errors; `console` by default. */
    logger?: Logger | undefined | null | false;
    /** The events that the function is not called for. */
    skip?: AllEvents[];
    onSecondError?: (error: unknown) => void;
    onSecondSignal?: (signal: Signals) => void;
    onTimeout?: (delay: number) => void;
  }
  /** Why the process ends. Nothing is set at its natural end, and at process.exit(). */
  export interface Reason {
    err?: Error;
    signal?: Signals;
    manual?: boolean;
  }
  export type CloseWithGraceCallback = (options: Reason, done: (error?: Error) => void) => void;
  export type CloseWithGraceAsyncCallback = (options: Reason) => Promise<void>;
  export interface CloseWithGraceReturn {
    /** Ends the process, with `manual` set. */
    close(): void;
    /** Takes everything back. */
    uninstall(): void;
  }
}

type Options = closeWithGrace.Options;
type Callback = closeWithGrace.CloseWithGraceCallback | closeWithGrace.CloseWithGraceAsyncCallback;

/** What close-with-grace listens to; the last four this package only listens to where somebody wants them. */
const USUAL = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTRAP", "SIGABRT", "SIGUSR2", "SIGTERM"] as const;
const SIGNALS = [...USUAL, "SIGILL", "SIGBUS", "SIGFPE", "SIGSEGV"] as const;

const ERRORS = ["uncaughtException", "unhandledRejection"] as const;

/** How much longer than the function's own time the whole shutdown may take, in milliseconds. */
const REST = 1_000;

closeWithGrace.closing = false;

function closeWithGrace(fn: Callback): closeWithGrace.CloseWithGraceReturn;
function closeWithGrace(options: Options, fn: Callback): closeWithGrace.CloseWithGraceReturn;
function closeWithGrace(first: Options | Callback, second?: Callback): closeWithGrace.CloseWithGraceReturn {
  const [given, fn] = typeof first === "function" ? [{}, first] : [first, second as Callback];
  const options: Options = { delay: 10_000, logger: console, ...given };
  const delay = typeof options.delay === "number" ? options.delay : undefined;
  const logger = options.logger || undefined;
  const skip: ReadonlySet<string> = new Set(Array.isArray(options.skip) ? options.skip : []);
  const errors = ERRORS.filter((event) => !skip.has(event));
  /** What began the end, where that is not the exit's own. */
  let reason: closeWithGrace.Reason = {};

  const onSecondSignal = (signal: NodeJS.Signals) => {
    if (typeof options.onSecondSignal === "function") options.onSecondSignal(signal as closeWithGrace.Signals);
    else logger?.error(`second ${signal}, exiting`);
    exitNow(1);
  };
  // These hold for all of the process; uninstall() gives them back.
  const { signals, grace, doubledWithin, onSecondSignal: previous } = configure({});
  configure({
    signals: [...signals, ...SIGNALS],
    grace: delay === undefined ? 2 ** 31 - 1 : Math.max(grace, delay + REST),
    doubledWithin: 0,
    onSecondSignal,
  });

  /** Begins the end, and lets the caller go on: further listeners of an event are called, too. */
  const begin = (code: number, why: closeWithGrace.Reason) => {
    reason = why;
    try {
      process.exit(code);
    } catch (error) {
      if (!(error instanceof SystemExit)) throw error;
    }
  };
  const onError = (err: Error) => begin(1, { err });
  const onSecondError = (error: unknown) => {
    if (typeof options.onSecondError === "function") options.onSecondError(error);
    else {
      logger?.error("second error, exiting");
      logger?.error(error);
    }
    exitNow(1);
  };
  for (const event of errors) process.once(event, onError);
  const registration = register({ name: "close-with-grace" }, close);

  /** Calls the function, and asks for the status that close-with-grace gives. */
  async function close(): Promise<void> {
    const { kind, signal } = exiting.reason ?? {};
    if (signal !== undefined) reason = { signal: signal as closeWithGrace.Signals };
    if (skip.has(signal ?? "") || (kind === "end" && skip.has("beforeExit"))) return;
    for (const event of errors) process.off(event, onError).on(event, onSecondError);
    closeWithGrace.closing = true;
    const timer = delay === undefined ? undefined : setTimeout(late, delay);
    try {
      await called(fn, reason);
    } catch (error) {
      logger?.error(error);
      exit(1);
    } finally {
      clearTimeout(timer);
    }
    // Whoever has called process.exit() has said how the process ends.
    if (kind !== "exit" || reason.manual === true) exit(reason.err === undefined ? 0 : 1);
  }

  function late(): void {
    if (typeof options.onTimeout === "function") options.onTimeout(Number(delay));
    else logger?.error(`killed by timeout (${delay}ms)`);
    exitNow(1);
  }

  return {
    close: () => begin(0, { manual: true }),
    uninstall() {
      registration.cancel();
      if (configure({}).onSecondSignal === onSecondSignal)
        configure({ signals, grace, doubledWithin, onSecondSignal: previous });
      for (const event of errors) process.off(event, onError);
    },
  };
}

/** Calls a function that returns a promise, or calls back. */
function called(fn: Callback, reason: closeWithGrace.Reason): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => (error ? reject(error) : resolve(undefined));
    const result: unknown = (fn as (...args: unknown[]) => unknown)(reason, done);
    if (builtin("util").types.isPromise(result)) result.then(resolve, reject);
  });
}

export default closeWithGrace;
