// Tells whether a `beforeExit` listener has begun new work. libuv knows whether
// its loop is alive and does not say; work may show nowhere (a job of
// node:crypto), and may have ended before it is looked for.

import { builtin, setImmediate } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

/** What keeps no loop alive, and an immediate, which no longer knows when it runs whether it kept the loop alive. */
const BESIDE_THE_LOOP = new Set(["TickObject", "PROMISE", "Microtask", "Immediate"]);

/** What getActiveResourcesInfo() lists only while it keeps the loop alive. */
const TIMERS = new Set(["Timeout", "Immediate"]);

/** One turn of the event loop, from before the listeners to after what they have begun. */
export class IdleTurn {
  /** Whether nothing that began in it has run, or has kept the loop alive. */
  wasEmpty = false;
  /** What began in it; for a timer, what tells whether it keeps the loop alive. */
  readonly #begun = new Map<number, NodeJS.Timeout | undefined>();
  readonly #hook: import("node:async_hooks").AsyncHook | undefined;

  /** @param withListeners whether other `beforeExit` listeners could begin work; if not, no hook is set */
  constructor(withListeners: boolean) {
    if (!withListeners) return;
    const { AsyncResource, createHook } = builtin("async_hooks");
    this.#hook = createHook({
      init: (id, type, _, resource) => {
        // A resource of the program's own only says to whom something belongs.
        if (BESIDE_THE_LOOP.has(type) || resource instanceof AsyncResource) return;
        this.#begun.set(id, type === "Timeout" ? (resource as NodeJS.Timeout) : undefined);
      },
      before: (id) => {
        if (this.#begun.has(id) && this.#begun.get(id)?.hasRef() !== false) this.wasEmpty = false;
      },
    });
    this.#hook.enable();
  }

  /** Keeps the loop alive for one turn, and looks at what happens in it. */
  watch(): void {
    this.wasEmpty = true;
    this.#lookForTimers();
    setImmediate(() => {
      if (this.#hook === undefined) return;
      // What a listener began after an `await` stands behind this immediate.
      this.#lookForTimers();
      // This one runs only if something else keeps the loop alive: if not, `beforeExit` comes first.
      setImmediate(() => {
        this.wasEmpty = false;
        this.end();
      }).unref();
    });
  }

  /** Looks no longer. */
  end(): void {
    this.#hook?.disable();
  }

  #lookForTimers(): void {
    if (this.#hook === undefined) return;
    if (process.getActiveResourcesInfo().some((type) => TIMERS.has(type))) this.wasEmpty = false;
  }
}
