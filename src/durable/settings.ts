// The settings of this part: configure() sets them, and the operator's
// environment overrides them.

import { report } from "../diagnostics/stderr.ts";
import { durableError } from "../errors/durable.ts";

/** The settings that {@link configure} takes; a setting that is left out stays as it is. */
export interface DurableSettings {
  /**
   * Where journals are kept, a directory of the user's own with mode 0700; on Windows
   * one that nobody else may write to. By default `$XDG_STATE_HOME/atexit`,
   * `%LOCALAPPDATA%\atexit` on Windows, or `~/.local/state/atexit`. `ATEXIT_DIR`.
   */
  journalDir: string | undefined;
  /**
   * Whether each recipe is on the disk, and not only in the system's memory,
   * before it is needed: for a power cut. `false` by default.
   */
  fsync: boolean;
  /**
   * Whether a guard carries recipes out as soon as the process is killed; without
   * a guard, the next start does. `ATEXIT_GUARD=off`.
   */
  guard: boolean;
}

export function defaultSettings(): DurableSettings {
  return { journalDir: undefined, fsync: false, guard: true };
}

/** @throws a `TypeError` with the code `ERR_ATEXIT_SETTINGS` */
export function checkSettings(given: unknown): Partial<DurableSettings> {
  if (typeof given !== "object" || given === null) {
    throw durableError("ERR_ATEXIT_SETTINGS", "The settings", given, "an object such as { fsync: true }");
  }
  const known = defaultSettings();
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(known, name)) {
      throw durableError("ERR_ATEXIT_SETTINGS", "A setting's name", name, `one of ${Object.keys(known).join(", ")}`);
    }
    const isRight =
      name === "journalDir" ? value === undefined || (typeof value === "string" && value !== "") : isFlag(value);
    if (!isRight) {
      throw durableError("ERR_ATEXIT_SETTINGS", name, value, name === "journalDir" ? "a path" : "true or false");
    }
  }
  return { ...given };
}

function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}

/** Returns the operator's settings. A variable that makes no sense is left out and reported. */
export function environmentSettings(environment: NodeJS.ProcessEnv): Partial<DurableSettings> {
  const { ATEXIT_DIR = "", ATEXIT_GUARD = "" } = environment;
  if (!["", "on", "off"].includes(ATEXIT_GUARD)) report(`ATEXIT_GUARD=${ATEXIT_GUARD} is ignored. Write on or off.`);
  return {
    ...(ATEXIT_DIR === "" ? {} : { journalDir: ATEXIT_DIR }),
    ...(ATEXIT_GUARD === "off" ? { guard: false } : {}),
  };
}
