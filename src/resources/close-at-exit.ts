// Closes a resource at exit: by its way, or by a function; a server is drained meanwhile.

import { checkTime } from "../settings/milliseconds.ts";
import { resourceError } from "../errors/resources.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { Leaving, sayGoodBye } from "./server-drain.ts";
import { closeBy } from "./ways/carry-out.ts";
import { USUAL } from "./ways/usual-methods.ts";
import type { Resource, WayToClose } from "./ways/way-to-close.ts";
import { wayOf } from "./ways/ways-to-close.ts";
import { type Closing, closingHandle } from "./workers.ts";

/** Reports whether there is a way to close something. */
export function isKnownToClose(resource: object): boolean {
  return wayOf(resource) !== undefined;
}

/** Closes a resource at exit, by a way of the table or by a function. */
export function closeAtExit<T extends object>(
  callee: Callee,
  resource: T,
  options: { name?: string; timeout?: number },
  close: ((resource: T) => unknown) | undefined,
): Closing {
  if ((typeof resource !== "object" && typeof resource !== "function") || resource === null) {
    throw resourceError("ERR_ATEXIT_OPTION", "What to close", resource, "an object such as a pool or a client");
  }
  if (close !== undefined && typeof close !== "function") {
    throw resourceError("ERR_ATEXIT_OPTION", "close", close, "a function");
  }
  if (options.name !== undefined && typeof options.name !== "string") {
    throw resourceError("ERR_ATEXIT_OPTION", "name", options.name, "a string");
  }
  if (options.timeout !== undefined) checkTime("timeout", options.timeout);
  const target = close === undefined ? targetOf(resource) : undefined;
  const name = options.name ?? `close ${(resource.constructor as { name?: string } | undefined)?.name ?? "resource"}`;
  const closeOnce = once(async () => {
    if (target === undefined) await close?.(resource);
    else await closeWithServer(target);
  });
  if (target !== undefined) sayGoodByeWithServer(target, closeOnce);
  const registration = registerForCaller(
    callee,
    options.timeout === undefined ? { name } : { name, timeout: options.timeout },
    closeOnce,
  );
  return closingHandle(registration);
}

function once(fn: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => (result ??= fn());
}

function sayGoodByeWithServer({ way, resource }: Target, close: () => Promise<void>): void {
  const server = way.server?.(resource) ?? way.beside?.(resource);
  if (server === undefined) return;
  if (way.server !== undefined) Leaving.of(server); // it is watched from now on
  if (server !== (resource as object)) sayGoodBye(server, close);
}

async function closeWithServer({ way, resource }: Target): Promise<void> {
  const server = way.server?.(resource);
  const leaving = server && Leaving.of(server);
  leaving?.begin();
  const after = way.after?.(resource);
  if (after === "asking") await leaving?.closed();
  if (after === "answering") await leaving?.answered();
  await closeBy(way, resource);
  await leaving?.end();
}

/** What is closed for the sake of a resource, and how. */
interface Target {
  readonly resource: Resource;
  readonly way: WayToClose;
}

function targetOf(resource: object): Target {
  const way = wayOf(resource);
  if (way === undefined) throw resourceError("ERR_ATEXIT_CANNOT_CLOSE", resource, USUAL);
  const client = way.client?.(resource as Resource);
  return client === undefined ? { resource: resource as Resource, way } : targetOf(client);
}
