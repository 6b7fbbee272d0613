// The variables by which an operator says what holds, over what the program says.

/** What stands over {@link configure}. */
export const OF_SETTINGS = ["ATEXIT_GRACE", "ATEXIT_TIMEOUT", "ATEXIT_SIGNALS", "ATEXIT_PROCESS_EXIT"] as const;

/** And what lets somebody look at shutdowns. */
const ALL = [...OF_SETTINGS, "ATEXIT_TRACE", "ATEXIT_REPORT"] as const;

/** Whether there is any: for most programs all that has to be known of them. */
export function isOperated(environment: NodeJS.ProcessEnv): boolean {
  for (const name of ALL) if (environment[name] !== undefined) return true;
  return false;
}
