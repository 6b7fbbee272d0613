// Resources of which nothing is known, but that they have a usual method: the most
// careful one first.

import { has, type Resource, type WayToClose } from "./way-to-close.ts";

const METHODS = ["close", "end", "quit", "disconnect", "$disconnect", "shutdown", "stop", "destroy"] as const;

/** A usual method's parameter that is called at its end, by the names that it has nearly everywhere. */
const CALLBACK = /^(?:cb|callback|done|next|fn)\b/;

export const usualMethods: readonly WayToClose[] = [
  { of: "anything that is asynchronously disposable", call: Symbol.asyncDispose, matches: has(Symbol.asyncDispose) },
  { of: "anything that is disposable", call: Symbol.dispose, matches: has(Symbol.dispose) },
  ...METHODS.map((call) => ({ of: `anything with ${call}()`, call, matches: has(call) })),
];

/** What the error says that nothing else can be closed by. */
export const USUAL = ["Symbol.asyncDispose", "Symbol.dispose", ...METHODS].join(", ");

/**
 * Returns at which place a method takes a callback, or `undefined` where its source
 * tells of none. To give one to a method that takes something else there (whether to
 * use force, a limit) would be a wrong call.
 */
export function placeOfCallback(resource: Resource, name: string | symbol): number | undefined {
  const source = Function.prototype.toString.call(resource[name]);
  const list = /^[^(]*\(([^)]*)/.exec(source)?.[1] ?? "";
  const place = list.split(",").findIndex((parameter) => CALLBACK.test(parameter.trim()));
  return place === -1 ? undefined : place;
}
