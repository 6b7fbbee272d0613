// The ways to close, in the order in which they are tried. Well-known clients come
// first, where the usual method is not the right one.

import { databases } from "./databases.ts";
import { logs } from "./logs.ts";
import { queues } from "./queues.ts";
import { servers } from "./servers.ts";
import { usualMethods } from "./usual-methods.ts";
import type { Resource, WayToClose } from "./way-to-close.ts";

export const waysToClose: readonly WayToClose[] = [...databases, ...queues, ...servers, ...logs, ...usualMethods];

/** Returns the way in which something is closed, or `undefined` where none is known. */
export function wayOf(resource: object): WayToClose | undefined {
  return waysToClose.find(({ matches }) => matches(resource as Resource));
}
