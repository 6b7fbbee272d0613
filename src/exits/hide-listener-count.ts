// Listeners that end the process only where they are alone: node-dev's, Prisma's.
// While they are called, this package's own listener is not counted, so that they
// decide what they would decide without it.

import type { EventEmitter } from "node:events";
import { process } from "../platform/process.ts";

type Counted = (event: string | symbol, ...rest: never[]) => unknown;

let isHiding = false;

/**
 * Has `process` tell nobody of this package's listeners, until the event that is
 * going on has been heard by all.
 */
export function hideListenerCount(event: string, isOwn: (listener: NodeJS.SignalsListener) => boolean): void {
  if (isHiding) return; // an event within an event
  isHiding = true;
  const { listenerCount, listeners, rawListeners } = process;
  const all = (of: string | symbol) => Reflect.apply(listeners, process, [of]) as unknown[];
  /** Whether Node looks just now whether a signal has any listener left. */
  let isNodeLooking = false;
  const isHidden = (found: unknown) => !isNodeLooking && isOwn(found as NodeJS.SignalsListener);
  const looks = () => (isNodeLooking = true);
  const hasLooked = () => (isNodeLooking = false);
  const replaced: Record<string, Counted> = {
    listenerCount(of, ...rest) {
      const count = Reflect.apply(listenerCount, process, [of, ...rest]) as number;
      return of === event && rest.length === 0 ? count - all(of).filter(isHidden).length : count;
    },
    listeners: (of) => all(of).filter((each) => of !== event || !isHidden(each)),
    rawListeners: (of) =>
      (Reflect.apply(rawListeners, process, [of]) as unknown[]).filter((each) => of !== event || !isHidden(each)),
  };
  const before = Object.keys(replaced).map((name) => [name, Object.getOwnPropertyDescriptor(process, name)] as const);
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(process, name, { configurable: true, writable: true, value });
  }
  // Node's own listener stands between these two.
  const emitter = process as unknown as EventEmitter;
  emitter.prependListener("removeListener", looks).on("removeListener", hasLooked);
  process.nextTick(() => {
    isHiding = false;
    emitter.off("removeListener", looks).off("removeListener", hasLooked);
    for (const [name, descriptor] of before) {
      // Who has replaced it meanwhile has the word.
      if (Object.getOwnPropertyDescriptor(process, name)?.value !== replaced[name]) continue;
      if (descriptor === undefined) Reflect.deleteProperty(process, name);
      else Object.defineProperty(process, name, descriptor);
    }
  });
}
