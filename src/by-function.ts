// The entries of a stack by their function, for unregister(fn).
//
// The index is built only as far as it is asked for: each entry is indexed at
// most once, so that looking a function up costs the same however many others
// there are, and a program that never unregisters by function pays nothing.

import type { AnyFunction, Entry, Stack } from "./stack.js";

export class ByFunction<E extends Entry> {
  readonly #stack: Stack<E>;
  readonly #index = new Map<AnyFunction, E | Set<E>>();
  #newestIndexed: E | undefined;

  constructor(stack: Stack<E>) {
    this.#stack = stack;
  }

  /** The entries of one function, newest first. */
  of(fn: AnyFunction): E[] {
    this.#indexNewcomers();
    const found = this.#index.get(fn);
    if (found === undefined) return [];
    return found instanceof Set ? [...found].reverse() : [found];
  }

  /** Forgets an entry that is about to be taken out of the stack. Nothing to do for one that is not indexed yet. */
  remove(entry: E): void {
    if (this.#newestIndexed === entry) this.#newestIndexed = entry.older as E | undefined;
    const same = this.#index.get(entry.fn);
    if (same instanceof Set) same.delete(entry);
    if (same === entry || (same instanceof Set && same.size === 0)) this.#index.delete(entry.fn);
  }

  #indexNewcomers(): void {
    const first = this.#newestIndexed === undefined ? this.#oldest() : this.#newestIndexed.newer;
    for (let entry = first as E | undefined; entry !== undefined; entry = entry.newer as E | undefined) {
      const same = this.#index.get(entry.fn);
      if (same === undefined) this.#index.set(entry.fn, entry);
      else if (same instanceof Set) same.add(entry);
      else this.#index.set(entry.fn, new Set([same, entry]));
      this.#newestIndexed = entry;
    }
  }

  /** Reached only while nothing is indexed, so each step of this walk is one entry's first indexing. */
  #oldest(): E | undefined {
    let entry = this.#stack.newest;
    while (entry?.older !== undefined) entry = entry.older as E;
    return entry;
  }
}
