// What configure() sets, and what an operator's environment sets over it.

import { failure, LONGEST_TIME } from "./errors.js";
import { canListen, ENDING_SIGNALS } from "./signals.js";

/** What {@link configure} takes; what is left out stays as it is. */
export interface Settings {
  /** How long a shutdown may take in all, in milliseconds. 10,000 by default. `ATEXIT_GRACE`. */
  grace: number;
  /** How long one cleanup may take, in milliseconds, where it has no timeout of its own. By default what is left of the grace period. `ATEXIT_TIMEOUT`. */
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

/** What holds where neither the program nor the environment says anything. */
export function defaultSettings(): Settings {
  return {
    grace: 10_000,
    timeout: undefined,
    signals: ENDING_SIGNALS,
    processExit: "wait",
  };
}

/** @throws a `TypeError` or `RangeError` with a `code` for what cannot be */
export function checkSettings(given: Partial<Settings>): Partial<Settings> {
  if (typeof given !== "object" || given === null) {
    throw failure("ERR_ATEXIT_OPTIONS", "The settings", given, "an object such as { grace: 5_000 }");
  }
  const known = new Set(Object.keys(defaultSettings()));
  for (const name of Object.keys(given)) {
    if (!known.has(name)) {
      throw failure("ERR_ATEXIT_OPTIONS", "A setting's name", name, `one of ${[...known].join(", ")}`);
    }
  }
  const checked: Partial<Settings> = {};
  if (given.grace !== undefined) checked.grace = checkTime("grace", given.grace);
  if ("timeout" in given) {
    checked.timeout = given.timeout === undefined ? undefined : checkTime("timeout", given.timeout);
  }
  if (given.signals !== undefined) checked.signals = checkSignals(given.signals);
  if (given.processExit !== undefined) {
    if (given.processExit !== "wait" && given.processExit !== "sync") {
      throw failure("ERR_ATEXIT_PROCESS_EXIT", given.processExit);
    }
    checked.processExit = given.processExit;
  }
  return checked;
}

/** @throws a `RangeError` for a time that is no number of milliseconds a timer can wait */
export function checkTime(what: string, time: unknown): number {
  if (typeof time !== "number" || !(time >= 0) || time > LONGEST_TIME) throw failure("ERR_ATEXIT_TIME", what, time);
  return time;
}

function checkSignals(signals: unknown): readonly NodeJS.Signals[] {
  if (!Array.isArray(signals)) {
    throw failure("ERR_ATEXIT_OPTIONS", "signals", signals, 'an array such as ["SIGTERM", "SIGINT"]');
  }
  return [...new Set(signals)].map((signal: unknown) => {
    if (typeof signal !== "string" || !canListen(signal)) throw failure("ERR_ATEXIT_SIGNAL", signal);
    return signal;
  });
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `10s`, `1.5m`, `250ms`, or a plain number of milliseconds. */
function parseTime(text: string): number {
  const [, amount, unit = "ms"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()) ?? [];
  return Number(amount) * (UNITS[unit] ?? Number.NaN);
}

const VARIABLES: Record<string, (text: string) => Partial<Settings>> = {
  ATEXIT_GRACE: (text) => ({ grace: parseTime(text) }),
  ATEXIT_TIMEOUT: (text) => ({ timeout: parseTime(text) }),
  ATEXIT_SIGNALS: (text) => ({ signals: text.split(/[\s,]+/).filter(Boolean) as NodeJS.Signals[] }),
  ATEXIT_PROCESS_EXIT: (text) => ({ processExit: text as "wait" }),
};

/**
 * What the operator has set. A variable that makes no sense is left out and
 * reported: the program must not fail for it.
 */
export function environmentSettings(
  environment: NodeJS.ProcessEnv,
  report: (message: string) => void,
): Partial<Settings> {
  const settings: Partial<Settings> = {};
  for (const [name, parse] of Object.entries(VARIABLES)) {
    const text = environment[name];
    if (text === undefined || text === "") continue;
    try {
      Object.assign(settings, checkSettings(parse(text)));
    } catch (error) {
      const times = name === "ATEXIT_GRACE" || name === "ATEXIT_TIMEOUT";
      const hint = times ? "Write a time such as 10s, 500ms or 10000." : (error as Error).message;
      report(`${name}=${text} is ignored. ${hint}`);
    }
  }
  return settings;
}
