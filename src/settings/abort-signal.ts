// AbortSignals, as this package takes them.

import { resourceError } from "../errors/resources.ts";

/** @throws a `TypeError` with the code `ERR_ATEXIT_OPTION` for what was given in place of a signal */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || isAbortSignal(signal)) return;
  throw resourceError("ERR_ATEXIT_OPTION", "signal", signal, "an AbortSignal");
}

/** Reports whether something is an AbortSignal: Node's, or one of another realm that does all that is needed. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== "object" || value === null) return false;
  const { aborted, throwIfAborted, addEventListener, removeEventListener } = value as {
    readonly [K in keyof AbortSignal]?: unknown;
  };
  const methods = [throwIfAborted, addEventListener, removeEventListener];
  return typeof aborted === "boolean" && methods.every((method) => typeof method === "function");
}
