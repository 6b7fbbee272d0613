// Stands between `process` and the listeners of its events without adding a
// listener, so that nobody who counts listeners sees one.
//
// Other libraries replace process.emit too, and put back what they once found
// (signal-exit does both): a plain replacement would be lost. So the property
// is an accessor, which looks at whatever is put there: where that does not
// lead to us any more, we stand in front of it again.

import { type Hook, HOOKED_EVENTS, type HookedEvent } from "./way-out.js";

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

const PROBE = Symbol("atexit.probe");

/** What is looked at, and no other event: that would load what is done on a way out. */
const WATCHED: ReadonlySet<string | symbol> = new Set(HOOKED_EVENTS);

export class EmitHooks {
  readonly hookOf: (event: HookedEvent) => Hook;
  found: PropertyDescriptor | undefined;
  /** What `process.emit` is: ours, or that of somebody who stands in front of us. */
  current: Emit | undefined;
  /** The one of ours that counts. Earlier ones, which somebody may still lead to, only pass on. */
  ours: Emit | undefined;
  /** What ours passes on to. */
  below: Emit | undefined;
  probed: boolean;

  /** @param hookOf asked when such an event comes */
  constructor(hookOf: (event: HookedEvent) => Hook) {
    this.hookOf = hookOf;
    this.found = undefined;
    this.current = undefined;
    this.ours = undefined;
    this.below = undefined;
    this.probed = false;
  }

  watch(): void {
    this.found = Object.getOwnPropertyDescriptor(process, "emit");
    this.current = this.inFrontOf(process.emit as Emit);
    Object.defineProperty(process, "emit", {
      configurable: true,
      enumerable: this.found?.enumerable ?? false,
      get: () => this.current,
      set: (emit: Emit) => {
        this.current = this.leadsToUs(emit) ? emit : this.inFrontOf(emit);
      },
    });
  }

  leadsToUs(emit: Emit): boolean {
    this.probed = false;
    try {
      Reflect.apply(emit, process, [PROBE]);
    } catch {
      // No function: whoever put it there will see it fail.
    }
    return this.probed;
  }

  inFrontOf(below: Emit): Emit {
    const watcher = this;
    const ours: Emit = function emit(this: unknown, event, ...args) {
      const pass = () => Reflect.apply(below, this, [event, ...args]);
      if (watcher.ours !== ours) return pass();
      if (event === PROBE) {
        watcher.probed = true;
        return true;
      }
      return WATCHED.has(event) ? watcher.hookOf(event as HookedEvent)(pass, args) : pass();
    };
    this.below = below;
    this.ours = ours;
    return ours;
  }
}
