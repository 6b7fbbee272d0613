// Stands between `process` and the listeners of its events without adding a
// listener, so that a program which counts listeners sees none.
//
// Other libraries replace process.emit too, and put back what they once found
// (signal-exit does both): a plain replacement would be lost. So the property
// is an accessor, which looks at whatever is put there: where that does not
// lead to our function any more, another one is put in front of it.

import { type EmitInterceptor, INTERCEPTED_EVENTS, type InterceptedEvent } from "./exit-handler.ts";
import { process } from "../platform/process.ts";

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

const PROBE = Symbol("atexit.probe");

const EVENTS: ReadonlySet<string | symbol> = new Set(INTERCEPTED_EVENTS);

export class EmitInterception {
  readonly #interceptorOf: (event: InterceptedEvent) => EmitInterceptor;
  readonly #interceptors = new Map<InterceptedEvent, EmitInterceptor>();
  #found: PropertyDescriptor | undefined;
  /** The value of `process.emit`: our function, or that of a library in front of us. */
  #current: Emit | undefined;
  /** Our function that intercepts. Earlier ones, which other libraries may still call, only pass on. */
  #ours: Emit | undefined;
  /** The function that ours passes on to. */
  #below: Emit | undefined;
  #wasProbed = false;

  /** @param interceptorOf asked once for each event, when it comes */
  constructor(interceptorOf: (event: InterceptedEvent) => EmitInterceptor) {
    this.#interceptorOf = interceptorOf;
  }

  install(): void {
    this.#found = Object.getOwnPropertyDescriptor(process, "emit");
    this.#current = this.#inFrontOf(process.emit as Emit);
    Object.defineProperty(process, "emit", {
      configurable: true,
      enumerable: this.#found?.enumerable ?? false,
      get: () => this.#current,
      set: (emit: Emit) => {
        this.#current = this.#leadsToOurs(emit) ? emit : this.#inFrontOf(emit);
      },
    });
  }

  /** Puts back the function that was found; the function of a library in front of us stays. */
  uninstall(): void {
    const left = this.#current === this.#ours ? this.#below : this.#current;
    this.#ours = undefined;
    const { emit: inherited } = Object.getPrototypeOf(process) as { emit: unknown };
    if (this.#found === undefined && left === inherited) delete (process as { emit?: unknown }).emit;
    else {
      const { enumerable = true } = this.#found ?? {};
      Object.defineProperty(process, "emit", { configurable: true, enumerable, writable: true, value: left });
    }
  }

  #leadsToOurs(emit: Emit): boolean {
    this.#wasProbed = false;
    try {
      Reflect.apply(emit, process, [PROBE]);
    } catch {
      // It is no function: the program that put it there will see it fail.
    }
    return this.#wasProbed;
  }

  #inFrontOf(below: Emit): Emit {
    const interception = this;
    const ours: Emit = function emit(this: unknown, event, ...args) {
      const pass = () => Reflect.apply(below, this, [event, ...args]);
      if (interception.#ours !== ours) return pass();
      if (event === PROBE) {
        interception.#wasProbed = true;
        return true;
      }
      return EVENTS.has(event) ? interception.#interceptor(event as InterceptedEvent)(pass, args) : pass();
    };
    this.#below = below;
    this.#ours = ours;
    return ours;
  }

  #interceptor(event: InterceptedEvent): EmitInterceptor {
    let interceptor = this.#interceptors.get(event);
    if (interceptor === undefined) {
      interceptor = this.#interceptorOf(event);
      this.#interceptors.set(event, interceptor);
    }
    return interceptor;
  }
}
