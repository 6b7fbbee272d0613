// The calls that led here, whatever the program has done to Error.

/** Returns a line for each call, the innermost first, beginning with the caller's; none where Error is frozen. */
export function stackFrames(most: number): string[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const settings = Error as { stackTraceLimit?: unknown; prepareStackTrace?: unknown };
  try {
    settings.stackTraceLimit = most + 1;
    settings.prepareStackTrace = undefined;
    return String(new Error().stack).split("\n").slice(2);
  } catch {
    return [];
  } finally {
    Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
    Reflect.set(Error, "prepareStackTrace", prepareStackTrace);
  }
}
