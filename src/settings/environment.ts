// The environment variables by which an operator overrules the program.

/** The variables that stand over {@link configure}. */
export const SETTING_VARIABLES = [
  "ATEXIT_GRACE",
  "ATEXIT_TIMEOUT",
  "ATEXIT_SIGNALS",
  "ATEXIT_PROCESS_EXIT",
  "ATEXIT_AFTER_SIGNAL",
] as const;

/** Those, and the variables that ask for a trace or a report. */
const ALL_VARIABLES = [...SETTING_VARIABLES, "ATEXIT_TRACE", "ATEXIT_REPORT"] as const;

/** Whether any of them is set: for most programs that is all that has to be known. */
export function hasSettings(environment: NodeJS.ProcessEnv): boolean {
  for (const name of ALL_VARIABLES) if (environment[name] !== undefined) return true;
  return false;
}

/** Whether the environment asks for a trace on disk, or for a report at the end. */
export function asksForTrace({ ATEXIT_TRACE, ATEXIT_REPORT }: NodeJS.ProcessEnv): boolean {
  return Boolean(ATEXIT_TRACE) || isOn(ATEXIT_REPORT);
}

/** Whether a variable switches something on. */
export function isOn(text: string | undefined): boolean {
  return text !== undefined && !["", "0", "off", "no", "false"].includes(text.trim().toLowerCase());
}
