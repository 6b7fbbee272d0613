// The settings of configure(), and their defaults.

import { ENDING_SIGNALS } from "../platform/signal-list.ts";

/** What {@link configure} takes; what is left out stays as it is. */
export interface Settings {
  /** How long a shutdown may take in all, in milliseconds. 10,000 by default. `ATEXIT_GRACE`. */
  grace: number;
  /** How long one cleanup may take, in milliseconds, where it has no timeout of its own. By default what is left of the grace period, or three quarters of that where others wait for their turn. `ATEXIT_TIMEOUT`. */
  timeout: number | undefined;
  /** The signals that begin a shutdown. By default all whose default is to end the process. `ATEXIT_SIGNALS`, separated by commas. */
  signals: readonly NodeJS.Signals[];
  /**
   * What `process.exit()` does about asynchronous cleanups: `"wait"` unwinds
   * its caller with a {@link SystemExit} and awaits them; `"sync"` starts them,
   * does not await them, and names them on stderr. `ATEXIT_PROCESS_EXIT`.
   */
  processExit: "wait" | "sync";
}

/** Returns the settings where neither the program nor the environment sets any. */
export function defaultSettings(): Settings {
  return {
    grace: 10_000,
    timeout: undefined,
    signals: ENDING_SIGNALS,
    processExit: "wait",
  };
}
