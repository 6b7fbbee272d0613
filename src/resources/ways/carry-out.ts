// Closes a resource by its way: what it does is waited for, then the method is called,
// and its end is waited for, however it tells that.

import type { EventEmitter } from "node:events";
import { clearTimeout, now, setImmediate, setTimeout } from "../../platform/node-builtins.ts";
import { sleep } from "../../platform/wait.ts";
import { isClosedAlready, isOfNobody } from "./closed-already.ts";
import { placeOfCallback, usualMethods } from "./usual-methods.ts";
import { has, type Resource, type WayToClose } from "./way-to-close.ts";

/** The pause between two looks, in milliseconds. */
const LOOK_EVERY = 10;

/**
 * How long an emitter of which nothing is known, and whose method returns nothing, may
 * take to say that it is closed, in milliseconds: many never say it.
 */
const SAYS_WITHIN = 500;

/** How long a client that has nobody at the other end may take to find somebody, in milliseconds. */
const LOST_AFTER = 1_000;

/** What emitters say at their end. */
const ENDS = ["close", "end", "finish", "exit", "disconnect"] as const;

type Method = (...args: unknown[]) => unknown;

/** @throws (rejects with) what the resource's method fails with, but not where it is closed already */
export async function closeBy(way: WayToClose, resource: Resource): Promise<void> {
  if (way.isClosed?.(resource) === true) return;
  if (way.isClosing?.(resource) === true) return until(() => way.isClosed?.(resource) === true);
  const isUsual = usualMethods.includes(way);
  try {
    await unlessLost(way, resource, carryOut(way, resource, isUsual));
    if (!isUsual) await nextTurn(); // who waits for an answer hears it
  } catch (error) {
    if (!isClosedAlready(error, !isUsual)) throw error;
    await way.ending?.(resource);
  }
}

async function carryOut(way: WayToClose, resource: Resource, isUsual: boolean): Promise<void> {
  if (way.isBusy !== undefined) {
    // What was asked for just now may begin with the next turn of the loop.
    await nextTurn();
    const beganAt = now();
    const isClosed = () => way.isClosed?.(resource) === true;
    await until(() => isClosed() || way.isBusy?.(resource, now() - beganAt) !== true);
    if (isClosed()) return;
  }
  if (way.first !== undefined) await callWhole(resource, way.first).catch(() => {});
  await callMethod(way, resource, isUsual);
  if (way.andThen !== undefined) await callWhole(resource, way.andThen);
}

function callMethod(way: WayToClose, resource: Resource, isUsual: boolean): Promise<void> {
  if (way.event !== undefined) return callUntil(way.event, way, resource);
  if (way.callback === true) return callBack(resource, way.call, way.with ?? [], way.meanwhile);
  return isUsual ? callWhole(resource, way.call) : callPlainly(way, resource);
}

/** Waits for the end, or gives up a connection that a client would try to make for ever. */
async function unlessLost({ giveUp }: WayToClose, resource: Resource, closing: Promise<void>): Promise<void> {
  if (giveUp === undefined) return closing;
  let timer: NodeJS.Timeout | undefined;
  let forget = () => {};
  const lost = new Promise<void>((resolve) => {
    forget = listen(resource, "error", (error) => {
      if (!isOfNobody(error)) return;
      timer ??= setTimeout(() => {
        callWhole(resource, giveUp).catch(() => {});
        // What waited for the connection is told now, and the end comes after it.
        timer = setTimeout(resolve, SAYS_WITHIN);
      }, LOST_AFTER);
    });
  });
  try {
    await Promise.race([closing, lost]);
  } finally {
    clearTimeout(timer);
    forget();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(LOOK_EVERY);
}

function method(resource: Resource, name: string | symbol): Method {
  return resource[name] as Method;
}

async function callPlainly({ call, with: args = [], meanwhile }: WayToClose, resource: Resource): Promise<void> {
  const result = method(resource, call).apply(resource, [...args]);
  meanwhile?.(resource);
  await result;
}

function callUntil(event: string, way: WayToClose, resource: Resource): Promise<void> {
  return new Promise((resolve) => {
    listen(resource, event, () => resolve());
    method(resource, way.call).apply(resource, [...(way.with ?? [])]);
  });
}

/** Calls a method with a callback at its end; where it returns a promise, that tells its end as well. */
function callBack(
  resource: Resource,
  name: string | symbol,
  args: readonly unknown[],
  meanwhile?: WayToClose["meanwhile"],
) {
  return new Promise<void>((resolve, reject) => {
    const done = (error?: unknown) => (error instanceof Error ? reject(error) : resolve());
    const result = method(resource, name).apply(resource, [...args, done]);
    meanwhile?.(resource);
    if (isThenable(result)) result.then(() => resolve(), reject);
  });
}

/** Calls a method of which nothing is known, and waits for its end: a promise, a callback, or an event. */
async function callWhole(resource: Resource, name: string | symbol): Promise<void> {
  const place = placeOfCallback(resource, name);
  if (place !== undefined) return callBack(resource, name, Array.from({ length: place }));
  let hasSaid = false;
  let said = () => {};
  const forget = ENDS.map((event) =>
    listen(resource, event, () => {
      hasSaid = true;
      said();
    }),
  );
  const result = method(resource, name).call(resource);
  if (isThenable(result)) await result;
  else if (!hasSaid && isEmitter(resource)) await within(SAYS_WITHIN, (resolve) => (said = resolve));
  for (const each of forget) each();
}

function within(limit: number, body: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limit);
    body(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

const isEmitter = has("on", "removeListener");

/** Listens once, and returns what ends that. */
function listen(resource: Resource, event: string, listener: (event?: unknown) => void): () => void {
  if (isEmitter(resource)) {
    const emitter = resource as unknown as EventEmitter;
    emitter.on(event, listener);
    return () => emitter.removeListener(event, listener);
  }
  if (!has("addEventListener", "removeEventListener")(resource)) return () => {};
  const target = resource as unknown as EventTarget;
  target.addEventListener(event, listener);
  return () => target.removeEventListener(event, listener);
}
