// The stacks that watch for the ways out of one thread. There is one, but where
// a test runner gives each test file a context of its own: then each file has a
// stack, all of them on the same process, and none ends it before the others.

import { process } from "../platform/process.ts";
import type { RegistrationStack } from "../registry/registration.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";

const KEY = Symbol.for("atexit.stacks.1");

/** Marks a listener as a stack's: it is no decision of the program. */
const MARK = Symbol.for("atexit.signal-listener.1");

/** Their stacks, the first that was installed first. */
function stacks(): Set<RegistrationStack> {
  const holder = process as { [KEY]?: Set<RegistrationStack> };
  if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { configurable: true, value: new Set() });
  return holder[KEY] as Set<RegistrationStack>;
}

/** Counts a stack among them as long as it is installed. */
export function oneOfSeveral({ stack }: Pick<ExitContext, "stack">): ExitHandler {
  return {
    install() {
      stacks().add(stack);
    },
    uninstall() {
      stacks().delete(stack);
      // The set belongs to the context that has made it, and would keep that alive.
      if (stacks().size === 0) delete (process as { [KEY]?: unknown })[KEY];
    },
  };
}

/** Whether other stacks were there before this one: it stands in front of theirs, and events go on to them. */
export function hasStacksBehind(stack: RegistrationStack): boolean {
  const [first] = stacks();
  return first !== undefined && first !== stack;
}

/** Marks a stack's listener. */
export function markListener<L extends (...args: never[]) => unknown>(listener: L): L {
  return Object.defineProperty(listener, MARK, { value: true });
}

/** Whether a listener is that of a stack. */
export function isListenerOfStack(listener: object): boolean {
  return MARK in listener;
}
