// All the ways out of one thread, and what is done on each. Each is made when
// the first of its events comes: most programs see one or two of them.

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
import type { Hook, HookedEvent, Leaving, Standing, WayOut } from "./way-out.js";

export class Exits {
  readonly shutdown: Shutdown;
  readonly #leaving: Leaving;
  readonly #listener: NodeJS.SignalsListener;
  readonly #hooks = new Map<HookedEvent, Hook>();
  readonly #made = new Map<(leaving: Leaving) => WayOut, WayOut>();
  #processExit: ProcessExit | undefined;
  #signals: Signals | undefined;
  #standing: Standing | undefined;

  constructor({ stack, settings, watch, controller }: Thread) {
    this.shutdown = new Shutdown(stack, settings, (exit) => controller.abort(exit));
    this.#listener = watch.onSignal;
    this.#leaving = {
      stack,
      settings,
      shutdown: this.shutdown,
      exitNow: (code) => this.processExit.exitNow(code),
      exitCode: undefined,
      parent: "connected",
      announcedSignal: undefined,
    };
  }

  get processExit(): ProcessExit {
    this.#processExit ??= new ProcessExit(this.#leaving);
    return this.#processExit;
  }

  get signals(): Signals {
    this.#signals ??= new Signals(this.#leaving, this.#listener);
    return this.#signals;
  }

  /** What listens for messages of a parent, which for a worker is another thread. */
  get standing(): Standing {
    this.#standing ??= isMainThread ? shutdownMessage(this.#leaving) : askedByMain(this.#leaving);
    return this.#standing;
  }

  /** What stands between an event and its listeners. */
  hook(event: HookedEvent): Hook {
    let hook = this.#hooks.get(event);
    if (hook === undefined) {
      const ways: readonly WayOut[] =
        event === "exit" ? [this.processExit] : WAYS[event].map((make) => this.#way(make));
      hook = inTurn(ways.flatMap(({ hooks }) => hooks[event] ?? []));
      this.#hooks.set(event, hook);
    }
    return hook;
  }

  /** The same for all events that tell of it: they have to know of one another. */
  #way(make: (leaving: Leaving) => WayOut): WayOut {
    const way = this.#made.get(make) ?? make(this.#leaving);
    this.#made.set(make, way);
    return way;
  }
}

/** Whom an event concerns, each in front of the next. */
const WAYS: Readonly<Record<Exclude<HookedEvent, "exit">, readonly ((leaving: Leaving) => WayOut)[]>> = {
  beforeExit: [naturalEnd],
  disconnect: [disconnect],
  rejectionHandled: [unwinding],
  uncaughtException: [unwinding, uncaughtError],
  uncaughtExceptionMonitor: [unwinding, uncaughtError],
  unhandledRejection: [unwinding, uncaughtError],
  warning: [unwinding, maxListeners],
};

/** One hook for all: each passes on to the next, and the last to the event's listeners. */
function inTurn(hooks: readonly Hook[]): Hook {
  return hooks.reduceRight((behind, hook) => (emit, args) => hook(() => behind(emit, args), args));
}
