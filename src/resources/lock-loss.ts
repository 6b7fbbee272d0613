// Tells a holder that its lock is lost: its file was deleted, or replaced by another
// one. Who only asks isHeld() learns it late.

import { builtin, clearInterval, setInterval } from "../platform/node-builtins.ts";
import { resourceError } from "../errors/resources.ts";

/** How often it is looked at where files cannot be watched, in milliseconds. */
const LOOK_EVERY = 1_000;

export class LockLoss {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #watcher: import("node:fs").FSWatcher | undefined;
  /** Looks whether it is lost by now. */
  readonly look: () => void;

  /** @param isHeld whether the lock is still there, as this process has made it */
  constructor(lock: string, isHeld: () => boolean) {
    this.look = () => {
      let why = {};
      try {
        if (isHeld()) return;
      } catch (cause) {
        why = { cause }; // its directory is not what it was: nothing tells that it is held
      }
      this.end();
      this.#controller.abort(Object.assign(resourceError("ERR_ATEXIT_LOCK_LOST", lock), why));
    };
    this.#timer = setInterval(this.look, LOOK_EVERY).unref();
    try {
      this.#watcher = builtin("fs").watch(builtin("path").dirname(lock), { persistent: false }, this.look);
      this.#watcher.on("error", () => {});
    } catch {
      // There are too many watchers, or the file system has none: the timer looks.
    }
    this.look();
  }

  /** Fires when the lock is lost; its reason is an error with the code `ERR_ATEXIT_LOCK_LOST`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Looks no longer: the lock is released. */
  end(): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
  }
}
