// Those of one thread who wait for a lock, in their order. The first looks for it, and the
// others wait for their turn to: hundreds that look, each woken by the looks of the others,
// would leave the thread no time for anything else.

import { woken } from "../platform/wait.ts";

const lines = new Map<string, Place[]>();

/** A place in the line of a lock. */
export class Place {
  readonly #lock: string;
  readonly #line: Place[];
  #come = () => {};

  /** @param lock its absolute path */
  constructor(lock: string) {
    this.#lock = lock;
    this.#line = lines.get(lock) ?? [];
    this.#line.push(this);
    lines.set(lock, this.#line);
  }

  get isFirst(): boolean {
    return this.#line[0] === this;
  }

  /**
   * Waits until it is the first.
   *
   * @param wait how long, in milliseconds; `Infinity` for as long as it takes
   * @throws (rejects with) the signal's reason
   */
  async comes(wait: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.isFirst) return;
    await woken(wait, signal, (wake) => (this.#come = wake));
  }

  leave(): void {
    this.#line.splice(this.#line.indexOf(this), 1);
    const [first] = this.#line;
    if (first === undefined) lines.delete(this.#lock);
    else first.#come(); // which does nothing where it has come already
  }
}
