// One signal listener of ours beside ten of the program's own would draw Node's
// warning of a leak that there is not.

import { isMainThread } from "../platform/node-builtins.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { process } from "../platform/process.ts";

export function hideListenerWarning({ settings }: ExitContext): ExitHandler {
  const ours = (type: unknown) => type === "message" || (settings.signals as readonly unknown[]).includes(type);
  return {
    intercepts: {
      warning(emit, [warning]) {
        const { name, emitter, type, count } = (warning ?? {}) as Record<string, unknown>;
        const owed =
          isMainThread && // in another there is none of ours
          name === "MaxListenersExceededWarning" &&
          emitter === process &&
          ours(type) &&
          count === process.getMaxListeners() + 1;
        return owed ? true : emit();
      },
    },
  };
}
