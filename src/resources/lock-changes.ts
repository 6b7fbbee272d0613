// Tells a waiter when it is its turn, where files can be watched: whoever lets the
// lock go changes the times of the waiter's own file.

import { onAbort } from "../platform/abort-signal.ts";
import { builtin, clearTimeout, setTimeout } from "../platform/node-builtins.ts";

export class LockChanges {
  readonly #watcher: import("node:fs").FSWatcher | undefined;
  #wake: (isChange: boolean) => void = () => {};

  /** @param file this thread's own file at the lock */
  constructor(file: string) {
    try {
      this.#watcher = builtin("fs").watch(file, { persistent: false }, () => this.#wake(true));
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
    let timer: NodeJS.Timeout | undefined;
    let stopListening: (() => void) | undefined;
    const isChange = await new Promise<boolean>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, pause, false);
      stopListening = signal && onAbort(signal, () => resolve(false));
    });
    clearTimeout(timer);
    stopListening?.();
    this.#wake = () => {};
    signal?.throwIfAborted();
    return isChange;
  }

  end(): void {
    this.#watcher?.close();
  }
}
