// Who in this process asks for which lease: first come, first served, and one at a
// time, so that an engine is never asked twice for the same thing.

export class NameQueue {
  /** For each name that is taken, who waits for it. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Takes a name at once; reports whether it was free. */
  takeNow(name: string): boolean {
    if (this.#waiting.has(name)) return false;
    this.#waiting.set(name, []);
    return true;
  }

  /**
   * Calls `taken` when the name is this caller's.
   *
   * @returns a function that stops waiting
   */
  wait(name: string, taken: () => void): () => void {
    const waiting = this.#waiting.get(name) as (() => void)[]; // it was taken
    waiting.push(taken);
    return () => {
      const at = waiting.indexOf(taken);
      if (at !== -1) waiting.splice(at, 1);
    };
  }

  leave(name: string): void {
    const next = this.#waiting.get(name)?.shift();
    if (next === undefined) this.#waiting.delete(name);
    else next();
  }
}
