// The entries of a stack by their function, for unregister(fn).
//
// The index is built only as far as it is asked for: each entry is indexed at
// most once, so that looking a function up costs the same however many others
// there are, and a program that never unregisters by function pays nothing.

import type { AnyFunction, Entry, Stack, StackIndex } from "./stack.ts";

export class IndexByFunction<E extends Entry> implements StackIndex<E> {
  readonly #stack: Stack<E>;
  readonly #entries = new Map<AnyFunction, E | Set<E>>();
  #newestIndexed: E | undefined;

  constructor(stack: Stack<E>) {
    this.#stack = stack;
  }

  /** Returns the entries of one function, newest first. */
  of(fn: AnyFunction): E[] {
    this.#indexNewEntries();
    const found = this.#entries.get(fn);
    if (found === undefined) return [];
    return found instanceof Set ? [...found].reverse() : [found];
  }

  /** Forgets an entry that is about to be taken out of the stack; one that is not indexed yet needs nothing. */
  remove(entry: E): void {
    if (this.#newestIndexed === entry) this.#newestIndexed = entry.older as E | undefined;
    const same = this.#entries.get(entry.fn);
    if (same instanceof Set) same.delete(entry);
    if (same === entry || (same instanceof Set && same.size === 0)) this.#entries.delete(entry.fn);
  }

  #indexNewEntries(): void {
    const first = this.#newestIndexed === undefined ? this.#oldest() : this.#newestIndexed.newer;
    for (let entry = first as E | undefined; entry !== undefined; entry = entry.newer as E | undefined) {
      const same = this.#entries.get(entry.fn);
      if (same === undefined) this.#entries.set(entry.fn, entry);
      else if (same instanceof Set) same.add(entry);
      else this.#entries.set(entry.fn, new Set([same, entry]));
      this.#newestIndexed = entry;
    }
  }

  /** Is called only while nothing is indexed, so each step of this walk is one entry's first indexing. */
  #oldest(): E | undefined {
    let entry = this.#stack.newest;
    while (entry?.older !== undefined) entry = entry.older as E;
    return entry;
  }
}
