// All the ways out of one thread, watched together: from the first
// registration to the last one's end, and not longer.

import { isMainThread } from "../builtin.js";
import type { RegistrationStack } from "../registration.js";
import type { Settings } from "../settings.js";
import type { Shutdown } from "../shutdown.js";
import { disconnect } from "./disconnect.js";
import { EmitHooks } from "./emit.js";
import { exitEvent } from "./exit-event.js";
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
  readonly #processExit: ProcessExit;
  readonly #signals: Signals | undefined;
  readonly #ways: readonly WayOut[];
  readonly #emit: EmitHooks;

  constructor(stack: RegistrationStack, settings: Settings, shutdown: Shutdown) {
    const leaving: Leaving = {
      stack,
      settings,
      shutdown,
      exitNow: (...args) => this.#processExit.exitNow(...args),
      parent: "connected",
      announcedSignal: undefined,
    };
    this.#processExit = new ProcessExit(leaving);
    // A worker thread receives no signals, and its parent is another thread.
    this.#signals = isMainThread ? new Signals(leaving) : undefined;
    this.#ways = [
      unwinding(),
      uncaughtError(leaving, isMainThread),
      naturalEnd(leaving),
      exitEvent(leaving),
      this.#processExit,
      ...(this.#signals === undefined
        ? []
        : [this.#signals, maxListeners(settings), disconnect(leaving), shutdownMessage(leaving)]),
    ];
    this.#emit = new EmitHooks(hooksOf(this.#ways));
  }

  watch(): void {
    this.watching = true;
    this.#emit.watch();
    for (const way of this.#ways) way.watch?.();
  }

  unwatch(): void {
    this.watching = false;
    for (const way of this.#ways) way.unwatch?.();
    this.#emit.unwatch();
  }

  signalsChanged(): void {
    if (!this.watching) return;
    this.#signals?.unwatch();
    this.#signals?.watch();
  }

  /** What `exit()` of this package does. */
  exit(code: number | undefined): never {
    return this.#processExit.leave(code === undefined ? [Number(process.exitCode ?? 0)] : [code]);
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
