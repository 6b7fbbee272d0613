// Stands between `process` and the listeners of its events without adding a
// listener, so that a program which counts listeners sees none.

import { process } from "../platform/process.ts";
import { type Emit, emitProperty, type Interception } from "./emit-property.ts";
import { type EmitInterceptor, INTERCEPTED_EVENTS, type InterceptedEvent } from "./exit-handler.ts";

const PROBE = Symbol("atexit.probe");

/** Whether it is a test's: of Jest, Vitest, node:test or Sinon. The test looks for it where it has put it. */
function isSpy(emit: Emit): boolean {
  return typeof emit === "function" && ("mock" in emit || "isSinonProxy" in emit);
}

const EVENTS: ReadonlySet<string | symbol> = new Set(INTERCEPTED_EVENTS);

export class EmitInterception implements Interception {
  readonly #interceptorOf: (event: InterceptedEvent) => EmitInterceptor;
  readonly #interceptors = new Map<InterceptedEvent, EmitInterceptor>();
  /** Our function that intercepts. Earlier ones, which other libraries may still call, only pass on. */
  #ours: Emit | undefined;
  /** The function that ours passes on to. */
  #below: Emit | undefined;
  /** What each of our functions passes on to. Those of other stacks, as in Jest each test file has one, are not ours. */
  readonly #belowOurs = new WeakMap<Emit, Emit>();
  #wasProbed = false;

  /** @param interceptorOf asked once for each event, when it comes */
  constructor(interceptorOf: (event: InterceptedEvent) => EmitInterceptor) {
    this.#interceptorOf = interceptorOf;
  }

  install(): void {
    emitProperty().add(this);
  }

  uninstall(): void {
    emitProperty().remove(this);
  }

  standInFrontOf(emit: Emit): Emit {
    // Whoever stands in front may end the process before its cleanups, as source-map-support does; a spy only looks.
    return isSpy(emit) && this.#leadsToOurs(emit) ? emit : this.#inFrontOf(this.#withoutOurs(emit));
  }

  withdrawFrom(emit: Emit): Emit {
    const left = emit === this.#ours ? this.#below : emit;
    this.#ours = undefined;
    return left ?? emit;
  }

  /** Returns what an earlier function of ours, which a library puts back, stood in front of: or else each would make the chain longer. */
  #withoutOurs(emit: Emit): Emit {
    let at = emit;
    for (let below = this.#belowOurs.get(at); below !== undefined; below = this.#belowOurs.get(at)) at = below;
    return at;
  }

  #leadsToOurs(emit: Emit): boolean {
    this.#wasProbed = false;
    if (this.#ours === undefined) return false;
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
      const pass = (...given: unknown[]) => Reflect.apply(below, this, [event, ...(given.length > 0 ? given : args)]);
      // A copy of process may have our function as well, and tells of no exit.
      if (interception.#ours !== ours || this !== process) return pass();
      if (event === PROBE) {
        interception.#wasProbed = true;
        return true;
      }
      return EVENTS.has(event) ? interception.#interceptor(event as InterceptedEvent)(pass, args) : pass();
    };
    this.#belowOurs.set(ours, below);
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
