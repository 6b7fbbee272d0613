// Which request the running code belongs to. Where a handler ends the process,
// nobody will answer its request.

import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

type Context = import("node:async_hooks").AsyncLocalStorage<object>;

let context: Context | undefined;

/**
 * Marks the code that runs from here on, and what it starts, as a request's.
 *
 * @returns the mark, which leads to nothing that could not be collected meanwhile
 */
export function enterRequest(): object | undefined {
  if (!isFree()) return undefined;
  const mark = {};
  context ??= new (builtin("async_hooks").AsyncLocalStorage)();
  context.enterWith(mark);
  return mark;
}

/** Returns the mark of the request that the running code belongs to, where that is known. */
export function currentRequest(): object | undefined {
  return context?.getStore();
}

/** Node 20 and 22 pay for such a context with every promise: there no request is known, nor in Bun and Deno. */
function isFree(): boolean {
  const { bun, deno } = process.versions;
  return bun === undefined && deno === undefined && !("_enable" in builtin("async_hooks").AsyncLocalStorage.prototype);
}
