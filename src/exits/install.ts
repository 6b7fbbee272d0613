// Watches for the ways out from the first registration to the last one's end,
// and not longer.

import { setTimeout } from "../platform/node-builtins.ts";
import type { ExitHandler, InterceptedEvent } from "./exit-handler.ts";
import { interceptorOf } from "./exit-handlers.ts";
import { EmitInterception } from "./intercept-emit.ts";
import { callsEmitProperty, NativeEvents } from "./native-events.ts";

/** How many installations in a row are undone at once: each takes some hundred microseconds, so later ones linger. */
const INSTALLATIONS = 16;

/** How long the handlers stay installed when nothing is registered any more, in milliseconds. */
const LINGER = 20;

export class Installation {
  readonly #handlers: readonly ExitHandler[];
  readonly #isNeeded: () => boolean;
  readonly #events: EmitInterception | NativeEvents;
  #isInstalled = false;
  #installations = 0;
  /** Set while it is about to go away. */
  #lingering: NodeJS.Timeout | undefined;

  /** @param isNeeded whether anything is registered, or the process is about to end */
  constructor(handlers: readonly ExitHandler[], isNeeded: () => boolean) {
    this.#handlers = handlers;
    this.#isNeeded = isNeeded;
    const interceptor = (event: InterceptedEvent) => interceptorOf(handlers, event);
    this.#events = callsEmitProperty() ? new EmitInterception(interceptor) : new NativeEvents(interceptor);
  }

  /** Something is registered. */
  install(): void {
    if (this.#isInstalled) return;
    this.#isInstalled = true;
    this.#installations += 1;
    for (const handler of this.#handlers) handler.install?.();
    this.#events.install(); // after the listeners, whose arrival is an event too
  }

  /** Nothing is registered any more: listener counts, and `process.emit`, become what they were. */
  uninstall(): void {
    if (this.#installations < INSTALLATIONS) {
      this.#uninstallNow();
      return;
    }
    if (this.#lingering !== undefined) return;
    this.#lingering = setTimeout(() => {
      this.#lingering = undefined;
      if (this.#isNeeded()) return;
      this.#installations = 0;
      this.#uninstallNow();
    }, LINGER).unref();
  }

  /** Lets a handler listen as its settings say now. */
  reinstall(handler: ExitHandler): void {
    if (!this.#isInstalled) return;
    handler.uninstall?.();
    handler.install?.();
  }

  #uninstallNow(): void {
    this.#isInstalled = false;
    this.#events.uninstall();
    for (const handler of this.#handlers) handler.uninstall?.();
  }
}
