// Tells a waiter when it is its turn, where files can be watched: whoever lets the
// lock go changes the times of the waiter's own file.

import { builtin } from "../platform/node-builtins.ts";
import { woken } from "../platform/wait.ts";

export class LockChanges {
  readonly #watcher: import("node:fs").FSWatcher | undefined;
  #wake = () => {};

  /** @param file this thread's own file at the lock */
  constructor(file: string) {
    try {
      this.#watcher = builtin("fs").watch(file, { persistent: false }, () => this.#wake());
      this.#watcher.on("error", () => {});
    } catch {
      // There are too many watchers, or the file system has none: the pause alone ends the wait.
    }
  }

  /**
   * Resolves at the next change, or after so many milliseconds.
   *
   * @returns whether there was a change
   * @throws (rejects with) the signal's reason
   */
  async next(pause: number, signal: AbortSignal | undefined): Promise<boolean> {
    const isChange = await woken(pause, signal, (wake) => (this.#wake = wake));
    this.#wake = () => {};
    return isChange;
  }

  end(): void {
    this.#watcher?.close();
  }
}
