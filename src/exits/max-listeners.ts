// One signal listener of ours beside ten of the program's own would draw Node's
// warning of a leak that there is not.

import { isMainThread } from "../builtin.js";
import type { Leaving, WayOut } from "./way-out.js";

export function maxListeners({ settings }: Leaving): WayOut {
  const ours = (type: unknown) => type === "message" || (settings.signals as readonly unknown[]).includes(type);
  return {
    hooks: {
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
