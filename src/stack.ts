// The cleanups of one thread, last in, first out: a data structure that knows
// no process. Removal from anywhere in it costs the same as from the top.

/** What a cleanup calls; the compiler has checked the arguments at registration. */
export type AnyFunction = (...args: never[]) => unknown;

/**
 * One place in a {@link Stack}. It has no field that the stack can do without:
 * what a million registrations cost is, for the most part, their bytes.
 */
export class Entry {
  older: Entry | undefined = undefined;
  newer: Entry | undefined = undefined;

  constructor(readonly fn: AnyFunction) {}
}

/** Told when the stack stops being empty, and when it becomes so again. */
export interface StackWatcher {
  filled(): void;
  emptied(): void;
}

/**
 * A doubly linked list with an index by function.
 *
 * The index is built only as far as `ofFunction` needs it: a program that never
 * unregisters by function pays nothing for it, and each entry is indexed at
 * most once, so that looking a function up costs the same however many others
 * there are.
 */
export class Stack<E extends Entry> {
  newest: E | undefined;
  size = 0;
  readonly #watcher: StackWatcher;
  readonly #index = new Map<AnyFunction, E | Set<E>>();
  #newestIndexed: E | undefined;

  constructor(watcher: StackWatcher) {
    this.#watcher = watcher;
  }

  push(entry: E): void {
    const below = this.newest;
    if (below !== undefined) {
      entry.older = below;
      below.newer = entry;
    }
    this.newest = entry;
    this.size += 1;
    if (this.size === 1) this.#watcher.filled();
  }

  /** Of entries that are out, none has a newer one. */
  has(entry: E): boolean {
    return entry.newer !== undefined || this.newest === entry;
  }

  /** Takes an entry out. Returns `false` where it was out already. */
  remove(entry: E): boolean {
    if (!this.has(entry)) return false;
    const older = entry.older as E | undefined;
    const newer = entry.newer as E | undefined;
    if (this.#index.size > 0) this.#unindex(entry);
    if (this.#newestIndexed === entry) this.#newestIndexed = older;
    if (older !== undefined) older.newer = newer;
    if (newer !== undefined) newer.older = older;
    else this.newest = older;
    entry.older = undefined;
    entry.newer = undefined;
    this.size -= 1;
    if (this.size === 0) this.#watcher.emptied();
    return true;
  }

  /** The entries of one function, newest first. */
  ofFunction(fn: AnyFunction): E[] {
    this.#indexNewcomers();
    const found = this.#index.get(fn);
    if (found === undefined) return [];
    return found instanceof Set ? [...found].reverse() : [found];
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
    let entry = this.newest;
    while (entry?.older !== undefined) entry = entry.older as E;
    return entry;
  }

  /** Nothing to do for an entry that is not indexed yet. */
  #unindex(entry: E): void {
    const same = this.#index.get(entry.fn);
    if (same instanceof Set) same.delete(entry);
    if (same === entry || (same instanceof Set && same.size === 0)) this.#index.delete(entry.fn);
  }
}
