// The BSDs and other systems: what POSIX promises, and nothing besides. Untested on a real one.

import { ON_POSIX, POSIX_NUMBERS } from "./ending-signals.ts";
import { builtin, timeOfDay } from "./node-builtins.ts";
import { isAnybodys } from "./pids.ts";
import { absolutePath, findProgram } from "./posix-path.ts";
import { processes, processOf } from "./ps.ts";
import type { System, SystemExits } from "./system.ts";

export const posixExits: SystemExits = {
  endingSignals: ON_POSIX,
  signalNumbers: POSIX_NUMBERS,
};

/** Returns the time since the system's start, in seconds. */
export function uptime(): number {
  return builtin("os").uptime();
}

/** Returns when the system started, in milliseconds since 1970. */
export function startedAt(): number {
  return timeOfDay() - uptime() * 1_000;
}

/** Returns when the system started, to the minute, since two readings differ: a boot id, where there is no better one. */
export function bootId(): string {
  return String(Math.round(startedAt() / 60_000));
}

export const posix: System = {
  name: "POSIX",

  filesHaveOwners: true,
  privateDirectory: "a directory of your own with mode 0700",
  givesInodesAgain: true,
  passingErrors: [],
  freesNamesAtOnce: true,
  canTruncateAppended: true,
  canSyncDirectories: true,
  O_PATH: 0,
  pathOfDescriptor: () => undefined,
  absolutePath,
  isLocal: () => false,
  isOverlay: () => false,
  mounts: () => [],
  stateDirectories: () => [],

  nodeName: "node",
  hasShell: true,
  runsBackslashes: false,
  findProgram,
  commandLineOf: (file, args) => ({ file, args }),
  hasSignals: true,

  whyUnseen: "",
  isSameStart: (one, other) => one === other,
  hasCheapLooks: false,
  processes,
  processOf,
  childOf: processOf,
  newestPid: () => Number.NaN,
  isThread: () => false,
  isOfKernel: () => false,
  environmentOf: () => undefined,
  commandOf: () => [],
  seesOwnPids: () => true,
  isAlive: isAnybodys,
  mayHaveStartedBy: isAnybodys,
  mayBeElsewhere: () => false,
  isThreadAlive: () => undefined,

  startOf: () => "0",
  ownThread: () => undefined,
  namespaces: () => ({ pidns: "0", mntns: "0", userns: "0" }),
  bootId,
  startedAt,
  exactUptime: () => Number.NaN,
  uptime,

  isInForeground: () => builtin("tty").isatty(0),
  stateOf: () => "T",
};
