// The property `process.emit` while something is registered. Other libraries
// replace it too, and put back what they once found (signal-exit does both): a
// plain replacement would be lost. So it is an accessor, which all stacks of the
// process share: whatever is put there, their functions stand in front of it.

import { process } from "../platform/process.ts";

export type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

/** What wants to see the events of `process`. */
export interface Interception {
  /** Returns a function that intercepts what `emit` is called with: itself, where it leads there. */
  standInFrontOf(emit: Emit): Emit;
  /** Intercepts no longer; returns what is left of `emit` without it. */
  withdrawFrom(emit: Emit): Emit;
}

const KEY = Symbol.for("atexit.emit.1");

/** Returns the one that all stacks of this process share. */
export function emitProperty(): EmitProperty {
  const holder = process as { [KEY]?: EmitProperty };
  if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { configurable: true, value: new EmitProperty() });
  return holder[KEY] as EmitProperty;
}

export class EmitProperty {
  /** In the order of their arrival: the last one stands in front. */
  readonly #interceptions = new Set<Interception>();
  #found: PropertyDescriptor | undefined;
  /** The value of the property: the function of a stack, or of a library in front of it. */
  #current: Emit = process.emit as Emit;

  add(interception: Interception): void {
    if (this.#interceptions.size === 0) this.#replace();
    this.#interceptions.add(interception);
    this.#current = interception.standInFrontOf(this.#current);
  }

  /** With the last one the property becomes what was found; the function of a library in front stays. */
  remove(interception: Interception): void {
    this.#interceptions.delete(interception);
    this.#current = interception.withdrawFrom(this.#current);
    if (this.#interceptions.size === 0) this.#putBack();
  }

  #replace(): void {
    this.#found = Object.getOwnPropertyDescriptor(process, "emit");
    this.#current = process.emit as Emit;
    Object.defineProperty(process, "emit", {
      configurable: true,
      enumerable: this.#found?.enumerable ?? false,
      get: () => this.#current,
      set: (emit: Emit) => {
        let current = emit;
        for (const interception of this.#interceptions) current = interception.standInFrontOf(current);
        this.#current = current;
      },
    });
  }

  #putBack(): void {
    delete (process as { [KEY]?: EmitProperty })[KEY];
    const { emit: inherited } = Object.getPrototypeOf(process) as { emit: unknown };
    if (this.#found === undefined && this.#current === inherited) delete (process as { emit?: unknown }).emit;
    else {
      const { enumerable = true } = this.#found ?? {};
      Object.defineProperty(process, "emit", { configurable: true, enumerable, writable: true, value: this.#current });
    }
  }
}
