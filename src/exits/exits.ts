// All the ways out of one thread, and what is done on each.

import { isMainThread } from "../builtin.js";
import { Shutdown } from "../shutdown.js";
import type { Thread } from "../thread.js";
import { askedByMain } from "./asked-by-main.js";
import { disconnect } from "./disconnect.js";
import { maxListeners } from "./max-listeners.js";
import { naturalEnd } from "./natural-end.js";
import { ProcessExit } from "./process-exit.js";
import { shutdownMessage } from "./shutdown-message.js";
import { Signals } from "./signals.js";
import { uncaughtError } from "./uncaught-error.js";
import { unwinding } from "./unwinding.js";
import type { Hook, Leaving, Standing, WayOut } from "./way-out.js";

export class Exits {
  readonly shutdown: Shutdown;
  readonly signals: Signals;
  /** What listens for messages of a parent. */
  readonly standing: readonly Standing[];
  readonly #leaving: Leaving;
  readonly #processExit: ProcessExit;

  constructor({ stack, settings, watch, controller }: Thread) {
    this.shutdown = new Shutdown(stack, settings, (exit) => controller.abort(exit));
    this.#leaving = {
      stack,
      settings,
      shutdown: this.shutdown,
      exitNow: (code) => this.#processExit.exitNow(code),
      exitCode: undefined,
      parent: "connected",
      announcedSignal: undefined,
    };
    this.#processExit = new ProcessExit(this.#leaving);
    this.signals = new Signals(this.#leaving, watch.onSignal);
    // The parent of a worker is another thread.
    this.standing = [isMainThread ? shutdownMessage(this.#leaving) : askedByMain(this.#leaving)];
  }

  /** What stands between the events of `process` and their listeners. */
  hooks(): Map<string, Hook> {
    const ways: WayOut[] = [unwinding(), uncaughtError(this.#leaving), naturalEnd(this.#leaving), this.#processExit];
    if (isMainThread) ways.push(maxListeners(this.#leaving.settings), disconnect(this.#leaving));
    return hooksOf(ways);
  }

  /** What `exit()` of this package does; or what happens when the parent is gone. */
  exit(code: number, kind?: "parent"): never {
    return this.#processExit.exit(code, kind);
  }
}

/** One hook for each event: those of earlier ways stand in front of those of later ones. */
function hooksOf(ways: readonly WayOut[]): Map<string, Hook> {
  const hooks = new Map<string, Hook>();
  for (const way of [...ways].reverse()) {
    for (const [event, hook] of Object.entries(way.hooks)) {
      const behind = hooks.get(event);
      hooks.set(event, behind === undefined ? hook : (emit, args) => hook(() => behind(emit, args), args));
    }
  }
  return hooks;
}
