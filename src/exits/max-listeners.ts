// One signal listener of ours beside ten of the program's own would draw Node's
// warning of a leak that there is not.

import type { Settings } from "../settings.js";
import type { WayOut } from "./way-out.js";

export function maxListeners(settings: Settings): WayOut {
  const ours = (type: unknown) => type === "message" || (settings.signals as readonly unknown[]).includes(type);
  return {
    hooks: {
      warning(emit, [warning]) {
        const { name, emitter, type, count } = (warning ?? {}) as Record<string, unknown>;
        const owed =
          name === "MaxListenersExceededWarning" &&
          emitter === process &&
          ours(type) &&
          count === process.getMaxListeners() + 1;
        return owed ? true : emit();
      },
    },
  };
}
