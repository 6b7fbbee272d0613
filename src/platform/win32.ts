// Windows. Untested on a real one.

import { EVERYWHERE } from "./ending-signals.ts";
import { builtin } from "./node-builtins.ts";
import { isAnybodys } from "./pids.ts";
import { bootId, startedAt, uptime } from "./posix.ts";
import type { System, SystemExits } from "./system.ts";

/** What Windows gives a program that Ctrl-C ended (STATUS_CONTROL_C_EXIT). */
const CONTROL_C_EXIT = 0xc000013a;

/** SIGBREAK is Ctrl-Break. */
export const win32Exits: SystemExits = {
  endingSignals: [...EVERYWHERE, "SIGBREAK"],
  signalNumbers: new Map(),
  statusOfSignal: (signal) => (signal === "SIGINT" || signal === "SIGBREAK" ? CONTROL_C_EXIT : 1),
};

export const win32: System = {
  name: "Windows",

  filesHaveOwners: false, // but access lists
  /** NTFS has a sequence in the number of a file. Source: Microsoft's [MS-FSCC], 64-bit file ID. */
  givesInodesAgain: false,
  canTruncateAppended: false,
  canSyncDirectories: false, // the system does that by itself, and lets nobody ask for it
  O_PATH: 0,
  pathOfDescriptor: () => undefined,
  absolutePath: (path) => builtin("path").resolve(path),
  isLocal: (path) => !path.startsWith("\\\\"),
  isOverlay: () => false,
  mounts: () => [],
  stateDirectories: ({ LOCALAPPDATA }) => (LOCALAPPDATA === undefined ? [] : [LOCALAPPDATA]),

  nodeName: "node.exe",
  hasShell: false,
  runsBackslashes: true,
  findsPrograms: false,
  hasProcessGroups: false,

  processes: () => [],
  processOf: () => undefined,
  childOf: () => undefined,
  newestPid: () => Number.NaN,
  isThread: () => false,
  isOfKernel: () => false,
  environmentOf: () => undefined,
  commandOf: () => [],
  seesOwnPids: () => true,
  isAlive: isAnybodys,
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
