// The settings of configure(), and their defaults.

import { ENDING_SIGNALS } from "../platform/signal-list.ts";

/** What {@link configure} takes; what is left out stays as it is. */
export interface Settings {
  /** How long a shutdown may take in all, in milliseconds. 10,000 by default. `ATEXIT_GRACE`. */
  grace: number;
  /** How long one cleanup may take, its synchronous part included, in milliseconds, where it has no timeout of its own. By default what is left of the grace period, or three quarters of that where others wait for their turn. `ATEXIT_TIMEOUT`. */
  timeout: number | undefined;
  /** The signals that begin a shutdown. By default all whose default is to end the process. `ATEXIT_SIGNALS`, separated by commas. */
  signals: readonly NodeJS.Signals[];
  /**
   * What `process.exit()` does about asynchronous cleanups: `"wait"` unwinds
   * its caller with a {@link SystemExit} and awaits them; `"sync"` starts them,
   * does not await them, and names them on stderr. `ATEXIT_PROCESS_EXIT`.
   */
  processExit: "wait" | "sync";
  /**
   * How the process ends after a signal and the cleanups: `"signal"`, by that
   * signal, as it would without them; `"code"`, with 128 + the signal's number, as a
   * shell shows it; or 0. `exit(n)` in a cleanup stands over it. `"signal"` by
   * default. `ATEXIT_AFTER_SIGNAL`.
   */
  afterSignal: "signal" | "code" | 0;
  /**
   * Called when a second signal is about to end a shutdown at once, which it does
   * when this returns, or with another status where it calls {@link exitNow}.
   */
  onSecondSignal: ((signal: NodeJS.Signals) => void) | undefined;
  /**
   * Within how many milliseconds of the first signal another one counts as the same
   * key press: a terminal and a package manager both pass it on. 500 by default.
   */
  doubledWithin: number;
  /**
   * Is given what this package has to say about cleanups, and writes it where the
   * program wants it. By default it goes to stderr, and where this throws.
   */
  report: ((report: CleanupReport) => void) | undefined;
}

/** What this package says about a cleanup, or about several. */
export interface CleanupReport {
  /**
   * `failed`: it threw, or its promise was rejected; `given up`: it had its time, or
   * has blocked the event loop; `not awaited`, `not called`: there was no time left;
   * `waiting`: it takes more than a second, and stderr is a terminal.
   */
  readonly kind: "failed" | "given up" | "not awaited" | "not called" | "waiting";
  /** The cleanup's name; of several, the first one's. `undefined` where none was called. */
  readonly cleanup: string | undefined;
  /** What it threw, or what its promise was rejected with. */
  readonly error: unknown;
  /** Where it was registered, `function (file:line:column)`; unknown where thousands are registered in a second. */
  readonly place: string | undefined;
  /** All of it, as it is on stderr without the beginning `atexit: `. */
  readonly text: string;
}

/** Returns the settings where neither the program nor the environment sets any. */
export function defaultSettings(): Settings {
  return {
    grace: 10_000,
    timeout: undefined,
    signals: ENDING_SIGNALS,
    processExit: "wait",
    afterSignal: "signal",
    onSecondSignal: undefined,
    doubledWithin: 500,
    report: undefined,
  };
}
