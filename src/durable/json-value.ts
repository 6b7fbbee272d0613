// The values that JSON can carry and give back as they were.

import { durableError } from "../errors/durable.ts";

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** @throws a `TypeError` with the code `ERR_ATEXIT_JSON` that says which part cannot be carried */
export function refuseBeyondJson(args: readonly unknown[]): void {
  args.forEach((value, at) => check(value, `argument ${at + 1}`, []));
}

function check(value: unknown, place: string, above: readonly unknown[]): void {
  if (value === null || typeof value === "boolean" || typeof value === "string") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (typeof value !== "object" || above.includes(value)) throw durableError("ERR_ATEXIT_JSON", place, value);
  const inside = [...above, value];
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at += 1) check(value[at], `${place}[${at}]`, inside);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain || "toJSON" in value) throw durableError("ERR_ATEXIT_JSON", place, value);
  for (const [name, part] of Object.entries(value)) check(part, `${place}.${name}`, inside);
}
