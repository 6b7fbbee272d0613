// Tells when a lock file has changed, where files can be watched.

import { builtin, clearTimeout, setTimeout } from "../platform/node-builtins.ts";

export class LockChanges {
  readonly #watcher: import("node:fs").FSWatcher | undefined;
  #wake = () => {};

  constructor(lock: string) {
    const { basename, dirname } = builtin("path");
    const name = basename(lock);
    try {
      this.#watcher = builtin("fs").watch(dirname(lock), { persistent: false }, (_, file) => {
        if (file === null || file === name) this.#wake();
      });
      this.#watcher.on("error", () => {});
    } catch {
      // There are too many watchers, or the file system has none: the pause alone ends the wait.
    }
  }

  /**
   * Resolves at the next change, or after so many milliseconds.
   *
   * @throws (rejects with) the signal's reason
   */
  async next(pause: number, signal: AbortSignal | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake = () => {};
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#wake = resolve;
      timer = setTimeout(resolve, pause);
      signal?.addEventListener("abort", wake);
    });
    clearTimeout(timer);
    signal?.removeEventListener("abort", wake);
    this.#wake = () => {};
    signal?.throwIfAborted();
  }

  end(): void {
    this.#watcher?.close();
  }
}
