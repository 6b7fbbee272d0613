// One signal listener of ours beside ten of the program's own would draw Node's
// warning of a leak that there is not. A leak of the program's own is warned of.

import type { EventEmitter } from "node:events";
import { isMainThread } from "../platform/node-builtins.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { forgetLeakWarning } from "./node-internals.ts";
import { process } from "../platform/process.ts";
import { isListenerOfStack } from "./stacks-of-process.ts";

const emitter = process as unknown as EventEmitter;

/** Whether the program's own listeners would draw the warning without ours. */
function isOwnLeak(type: string): boolean {
  return emitter.listeners(type).filter((listener) => !isListenerOfStack(listener)).length > process.getMaxListeners();
}

export function hideListenerWarning({ settings }: ExitContext): ExitHandler {
  const ours = (type: unknown) => type === "message" || (settings.signals as readonly unknown[]).includes(type);
  return {
    intercepts: {
      warning(emit, [warning]) {
        const { name, emitter: of, type } = (warning ?? {}) as Record<string, unknown>;
        const isAboutOurs =
          isMainThread && // in another there is none of ours
          name === "MaxListenersExceededWarning" &&
          of === process &&
          ours(type);
        if (!isAboutOurs || isOwnLeak(type as string)) return emit();
        forgetLeakWarning(type as string); // Node warns once: the next one may be the program's own
        return true;
      },
    },
  };
}
