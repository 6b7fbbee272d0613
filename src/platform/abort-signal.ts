// How many wait with one AbortSignal, which a program gives to those who wait.

/** Those who wait with a signal, and the one listener for all of them. */
class Waiting {
  readonly #calls = new Set<{ readonly fn: () => void }>();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#fired);
  }

  readonly #fired = (): void => {
    for (const { fn } of this.#calls) fn();
  };

  add(fn: () => void): () => void {
    const call = { fn };
    this.#calls.add(call);
    return () => {
      if (!this.#calls.delete(call) || this.#calls.size > 0) return;
      this.#signal.removeEventListener("abort", this.#fired);
      waiting.delete(this.#signal);
    };
  }
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls a function when a signal fires that has not fired yet. However many wait with one
 * signal, it has one listener: Node 20 takes more than ten for a leak, and the limit of a
 * program's signal is the program's.
 *
 * @returns a function that stops it
 */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  const all = waiting.get(signal) ?? new Waiting(signal);
  waiting.set(signal, all);
  return all.add(fn);
}
