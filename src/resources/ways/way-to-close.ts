// What a way to close a resource is, and how resources are recognised: by what they
// can do, since classes get other names from bundlers, mixins and proxies.

import type { Server } from "node:net";

export type Resource = Readonly<Record<string | symbol, unknown>>;

/** One way in which resources are closed. */
export interface WayToClose {
  /** The kind of resource that is closed in this way. */
  readonly of: string;
  /** A method that is called before, and waited for: it is answered after what was sent. */
  readonly first?: string;
  /** The method that is called, with the arguments `with`. */
  readonly call: string | symbol;
  readonly with?: readonly unknown[];
  /**
   * Whether the method takes a callback, and calls it at its end. A method of which
   * nothing is known takes one where its source names it so.
   */
  readonly callback?: boolean;
  /** The event that tells its end, where the method does not. */
  readonly event?: string;
  /** The method that is called where meanwhile an `error` tells that nobody is at the other end. */
  readonly giveUp?: string;
  /** The method that is called when that is over, and waited for. */
  readonly andThen?: string;
  /** Returns what is closed in its place. */
  client?(resource: Resource): object;
  /** Returns the server that the method closes: meanwhile that one is drained. */
  server?(resource: Resource): Server;
  /** Returns a server with whose drain the resource is closed, and which it leaves as it is. */
  beside?(resource: Resource): Server | undefined;
  /**
   * What is over before the method is called: "asking", when nobody can send a further
   * request, which it would refuse; "answering", when all are answered but streams,
   * since it takes away what handlers need.
   */
  after?(resource: Resource): "asking" | "answering" | undefined;
  /** Called after the method, while its end is waited for. */
  meanwhile?(resource: Resource): void;
  /**
   * Reports whether it does what the method would cut off: that is waited for before.
   * It is told for how long that has been waited for, in milliseconds.
   */
  isBusy?(resource: Resource, waited: number): boolean;
  /** Reports whether the resource is closed already, where that shows. */
  isClosed?(resource: Resource): boolean;
  /** Reports whether somebody has begun to close it, and it shows when that is over. */
  isClosing?(resource: Resource): boolean;
  /** Returns the promise of its end, where a method that somebody has called already refuses to be called again. */
  ending?(resource: Resource): PromiseLike<unknown>;
  /** Reports whether a resource is closed in this way. */
  matches(resource: Resource): boolean;
}

/** Returns a predicate of what has all of these methods. */
export function has(...names: readonly (string | symbol)[]): (resource: Resource) => boolean {
  return (resource) => names.every((name) => typeof resource[name] === "function");
}

/** Returns the length of a list that a client keeps, or 0 where it keeps none of that name. */
export function lengthOf(resource: unknown, name: string): number {
  const list = (resource as Resource | null | undefined)?.[name] as { length?: unknown } | null | undefined;
  return typeof list?.length === "number" ? list.length : 0;
}
