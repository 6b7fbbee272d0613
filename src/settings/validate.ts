// What the program and the operator say of the settings, checked.

import { SETTING_VARIABLES } from "./environment.ts";
import { coreError } from "../errors/core.ts";
import type { Settings } from "./settings.ts";
import { canListen } from "../platform/signal-list.ts";
import { checkTime } from "./milliseconds.ts";
import { environment } from "../platform/process.ts";

/**
 * Takes what the program says; what the operator says stands over it.
 *
 * @throws a `TypeError` or `RangeError` with a `code` for what cannot be
 */
export function configure(settings: Settings, given: Partial<Settings>): void {
  const checked = checkSettings(given);
  Object.assign(
    settings,
    checked,
    environmentSettings(environment(), () => {}),
  );
}

/** Takes what the operator says; calls `warn` for each variable that makes no sense. */
export function readEnvironment(settings: Settings, warn: (message: string) => void): void {
  Object.assign(settings, environmentSettings(environment(), warn));
}

const CHECKS: Readonly<Record<keyof Settings, (name: string, given: unknown) => unknown>> = {
  grace: checkTime,
  timeout: checkTime,
  signals: checkSignals,
  processExit: oneOf("wait", "sync"),
  afterSignal: oneOf("signal", "code", 0),
  onSecondSignal: checkFunction,
  doubledWithin: checkTime,
  report: checkFunction,
};

/** The settings that can be none. */
const OPTIONAL: ReadonlySet<string> = new Set(["timeout", "onSecondSignal", "report"]);

function checkSettings(given: Partial<Settings>): Partial<Settings> {
  if (typeof given !== "object" || given === null) {
    throw coreError("ERR_ATEXIT_OPTIONS", "The settings", given, "an object such as { grace: 5_000 }");
  }
  const checked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(CHECKS, name)) {
      throw coreError("ERR_ATEXIT_OPTIONS", "A setting's name", name, `one of ${Object.keys(CHECKS).join(", ")}`);
    }
    if (value !== undefined) checked[name] = CHECKS[name as keyof Settings](name, value);
    else if (OPTIONAL.has(name)) checked[name] = undefined;
  }
  return checked;
}

function oneOf(...allowed: unknown[]) {
  return (name: string, given: unknown): unknown => {
    if (allowed.includes(given)) return given;
    const instead = allowed.map((value) => JSON.stringify(value)).join(" or ");
    throw coreError("ERR_ATEXIT_OPTIONS", name, given, instead);
  };
}

function checkFunction(name: string, given: unknown): unknown {
  if (typeof given === "function") return given;
  throw coreError("ERR_ATEXIT_OPTIONS", name, given, "a function");
}

function checkSignals(name: string, signals: unknown): readonly NodeJS.Signals[] {
  if (!Array.isArray(signals)) {
    throw coreError("ERR_ATEXIT_OPTIONS", name, signals, 'an array such as ["SIGTERM", "SIGINT"]');
  }
  return [...new Set(signals)].map((signal: unknown) => {
    if (typeof signal !== "string" || !canListen(signal)) throw coreError("ERR_ATEXIT_SIGNAL", signal);
    return signal;
  });
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `10s`, `1.5m`, `250ms`, or a plain number of milliseconds. */
function parseTime(text: string): number {
  const [, amount, unit = "ms"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()) ?? [];
  return Number(amount) * (UNITS[unit] ?? Number.NaN);
}

const PARSERS: Readonly<Record<(typeof SETTING_VARIABLES)[number], (text: string) => Partial<Settings>>> = {
  ATEXIT_GRACE: (text) => ({ grace: parseTime(text) }),
  ATEXIT_TIMEOUT: (text) => ({ timeout: parseTime(text) }),
  ATEXIT_SIGNALS: (text) => ({ signals: text.split(/[\s,]+/).filter(Boolean) as NodeJS.Signals[] }),
  ATEXIT_PROCESS_EXIT: (text) => ({ processExit: text as "wait" }),
  ATEXIT_AFTER_SIGNAL: (text) => ({ afterSignal: text === "0" ? 0 : (text as "code") }),
};

/**
 * What the operator has set. A variable that makes no sense is left out and
 * reported: the program must not fail for it.
 */
function environmentSettings(environment: NodeJS.ProcessEnv, warn: (message: string) => void): Partial<Settings> {
  const settings: Partial<Settings> = {};
  for (const name of SETTING_VARIABLES) {
    const text = environment[name];
    if (text === undefined || text === "") continue;
    try {
      Object.assign(settings, checkSettings(PARSERS[name](text)));
    } catch (error) {
      const isTime = name === "ATEXIT_GRACE" || name === "ATEXIT_TIMEOUT";
      const hint = isTime ? "Write a time such as 10s, 500ms or 10000." : (error as Error).message;
      warn(`${name}=${text} is ignored. ${hint}`);
    }
  }
  return settings;
}
