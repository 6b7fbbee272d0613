// All the ways out of one thread, watched together: from the first
// registration to the last one's end, and not longer.

import { isMainThread } from "../builtin.js";
import type { RegistrationStack } from "../registration.js";
import type { Settings } from "../settings.js";
import type { Shutdown } from "../shutdown.js";
import { askedByMain } from "./asked-by-main.js";
import { disconnect } from "./disconnect.js";
import { EmitHooks } from "./emit.js";
import { maxListeners } from "./max-listeners.js";
import { naturalEnd } from "./natural-end.js";
import { ProcessExit } from "./process-exit.js";
import { shutdownMessage } from "./shutdown-message.js";
import { Signals } from "./signals.js";
import { uncaughtError } from "./uncaught-error.js";
import { unwinding } from "./unwinding.js";
import type { Hook, Leaving, WayOut } from "./way-out.js";

export class Exits {
  watching = false;
  readonly #leaving: Leaving;
  readonly #processExit: ProcessExit;
  readonly #signals: Signals | undefined;
  /** The ways out that have something to put in its place. */
  readonly #standing: readonly WayOut[];
  readonly #emit: EmitHooks;

  constructor(stack: RegistrationStack, settings: Settings, shutdown: Shutdown) {
    this.#leaving = {
      stack,
      settings,
      shutdown,
      exitNow: (code) => this.#processExit.exitNow(code),
      exitCode: undefined,
      parent: "connected",
      announcedSignal: undefined,
    };
    this.#processExit = new ProcessExit(this.#leaving);
    // A worker thread receives no signals, and its parent is another thread.
    this.#signals = isMainThread ? new Signals(this.#leaving) : undefined;
    this.#standing =
      this.#signals === undefined ? [askedByMain(this.#leaving)] : [this.#signals, shutdownMessage(this.#leaving)];
    this.#emit = new EmitHooks(() => this.#hooks());
  }

  /** Made when the first event comes, which for most programs is their end: a start has no time for it. */
  #hooks(): Map<string, Hook> {
    const ways: WayOut[] = [unwinding(), uncaughtError(this.#leaving), naturalEnd(this.#leaving), this.#processExit];
    if (isMainThread) ways.push(maxListeners(this.#leaving.settings), disconnect(this.#leaving));
    return hooksOf(ways);
  }

  watch(): void {
    this.watching = true;
    for (const way of this.#standing) way.watch?.();
    this.#emit.watch(); // after the listeners above, whose arrival is an event too
  }

  unwatch(): void {
    this.watching = false;
    this.#emit.unwatch();
    for (const way of this.#standing) way.unwatch?.();
  }

  signalsChanged(): void {
    if (!this.watching) return;
    this.#signals?.unwatch();
    this.#signals?.watch();
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
    for (const [event, hook] of Object.entries(way.hooks ?? {})) {
      const behind = hooks.get(event);
      hooks.set(event, behind === undefined ? hook : (emit, args) => hook(() => behind(emit, args), args));
    }
  }
  return hooks;
}
