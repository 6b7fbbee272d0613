// Tells whether a `beforeExit` listener has begun new work. libuv knows whether
// its loop is alive and does not say; work may show nowhere (a job of
// node:crypto), and may have ended before anybody looks.

import { builtin, setImmediate } from "../builtin.js";

/** What runs between the turns of the loop and does not keep it alive. */
const BESIDE_THE_LOOP = new Set(["TickObject", "PROMISE", "Microtask"]);

/** One turn of the event loop, from before the listeners to after what they have begun. */
export class EmptyTurn {
  /** Whether nothing that began in it has run, or has kept the loop alive. */
  wasEmpty = false;
  readonly #begun = new Set<number>();
  readonly #hook: import("node:async_hooks").AsyncHook | undefined;
  #isOurs = false;

  /** @param withListeners whether there is anybody who could begin work; if not, nothing is looked at */
  constructor(withListeners: boolean) {
    if (!withListeners) return;
    this.#hook = builtin("async_hooks").createHook({
      init: (id, type) => {
        if (!this.#isOurs && !BESIDE_THE_LOOP.has(type)) this.#begun.add(id);
      },
      before: (id) => {
        if (this.#begun.has(id)) this.wasEmpty = false;
      },
    });
    this.#hook.enable();
  }

  /** Keeps the loop alive for one turn, and looks at what happens in it. */
  watch(): void {
    this.wasEmpty = true;
    this.#isOurs = true;
    setImmediate(() => {
      if (this.#hook === undefined) return;
      // This one runs only if something else keeps the loop alive: if not, `beforeExit` comes first.
      setImmediate(() => this.end()).unref();
    });
    this.#isOurs = false;
  }

  /** Looks no longer. */
  end(): void {
    this.#hook?.disable();
  }
}
