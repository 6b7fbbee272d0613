// The cleanups of one thread, last in, first out: a data structure that knows
// no process.

/** What a cleanup calls; the compiler has checked the arguments at registration. */
export type AnyFunction = (...args: never[]) => unknown;

/**
 * One place in a {@link Stack}. It has no field that the stack can do without:
 * what a million registrations cost is, for the most part, their bytes.
 */
export interface Entry {
  older: Entry | undefined;
  newer: Entry | undefined;
  readonly fn: AnyFunction;
}

/** Is called when the stack stops being empty, and when it becomes so again. */
export interface StackWatcher {
  filled(): void;
  emptied(): void;
}

/** Finds entries by something else than their order. */
export interface StackIndex<E extends Entry> {
  /** Is called before an entry is taken out. */
  remove(entry: E): void;
}

/**
 * A doubly linked list. Removal from anywhere in it costs the same as from the
 * top.
 */
export class Stack<E extends Entry> {
  newest: E | undefined = undefined;
  size = 0;
  /** Set by the first lookup that needs one. */
  index: StackIndex<E> | undefined = undefined;
  readonly #watcher: StackWatcher;

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

  /** Whether the entry is in the stack: of those that are out, none has a newer one. */
  has(entry: E): boolean {
    return entry.newer !== undefined || this.newest === entry;
  }

  /** Takes an entry out; returns `false` where it was out already. */
  remove(entry: E): boolean {
    if (!this.has(entry)) return false;
    const { older, newer } = entry as { older: E | undefined; newer: E | undefined };
    this.index?.remove(entry);
    if (older !== undefined) older.newer = newer;
    if (newer !== undefined) newer.older = older;
    else this.newest = older;
    entry.older = undefined;
    entry.newer = undefined;
    this.size -= 1;
    if (this.size === 0) this.#watcher.emptied();
    return true;
  }
}
