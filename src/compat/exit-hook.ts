// The API of exit-hook 5: functions that are given the exit code, in the order in
// which they were added; asynchronous ones run side by side.
// Source: https://www.npmjs.com/package/exit-hook

import { exit, exiting, register, type Registration, SystemExit } from "../index.ts";
import { clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

/** Options of an asynchronous hook. */
export interface Options {
  /** How long it may take, in milliseconds; of several, the longest counts for all. */
  readonly wait: number;
}

interface AsyncHook {
  readonly onExit: (signal: number) => void | Promise<void>;
  readonly wait: number;
}

const hooks = new Set<(signal: number) => void>();
const asyncHooks = new Set<AsyncHook>();
let registration: Registration | undefined;

/**
 * Calls a function when the process ends, however it ends.
 *
 * @param onExit is given the exit code; 128 + number on a signal
 * @returns a function that removes it
 */
export default function exitHook(onExit: (signal: number) => void): () => void {
  if (typeof onExit !== "function") throw new TypeError("onExit must be a function");
  return added(hooks, onExit);
}

/**
 * Calls a function when the process ends, and waits for its promise; with this
 * package also on `process.exit()`.
 *
 * @param onExit is given the exit code
 * @returns a function that removes it
 */
export function asyncExitHook(
  onExit: (signal: number) => void | Promise<void>,
  options: Options = { wait: 0 },
): () => void {
  if (typeof onExit !== "function") throw new TypeError("onExit must be a function");
  const { wait } = options;
  if (!(typeof wait === "number" && wait > 0)) throw new TypeError("wait must be set to a positive numeric value");
  return added(asyncHooks, { onExit, wait });
}

/**
 * Ends the process after all hooks.
 *
 * @param signal the exit code; by default `process.exitCode`, or 0
 */
export function gracefulExit(signal?: number): void {
  if (signal !== undefined) process.exitCode = signal;
  try {
    process.exit();
  } catch (error) {
    if (!(error instanceof SystemExit)) throw error;
  }
}

function added<H>(all: Set<H>, hook: H): () => void {
  all.add(hook);
  registration ??= register({ name: "exit-hook" }, callAll);
  return () => {
    all.delete(hook);
    if (hooks.size + asyncHooks.size > 0) return;
    registration?.cancel();
    registration = undefined;
  };
}

function callAll(): void | Promise<void> {
  const { code = 0, kind } = exiting.reason ?? {};
  for (const hook of hooks) hook(code);
  if (asyncHooks.size === 0) return leave(kind, code);
  const longest = Math.max(...Array.from(asyncHooks, ({ wait }) => wait));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, longest);
  });
  const all = Promise.all(Array.from(asyncHooks, async ({ onExit }) => onExit(code)));
  return Promise.race([all, late]).then(() => {
    clearTimeout(timer);
    leave(kind, code);
  });
}

/** After a signal exit-hook ends with its code. */
function leave(kind: string | undefined, code: number): void {
  if (kind === "signal") exit(code);
}
