// Windows. Untested on a real one.

import { EVERYWHERE } from "./ending-signals.ts";
import { builtin, timeOfDay } from "./node-builtins.ts";
import { isAnybodys } from "./pids.ts";
import { bootId, startedAt, uptime } from "./posix.ts";
import { process } from "./process.ts";
import { commandLineOf, findProgram } from "./windows-command.ts";
import type { Process, System, SystemExits } from "./system.ts";
import { hasPowerShell } from "./powershell.ts";
import { whyOpenToOthers } from "./windows-access.ts";
import { endProcesses, isSameStart, listProcesses, processesLater, startBetween } from "./windows-processes.ts";

/** What Windows gives a program that Ctrl-C ended (STATUS_CONTROL_C_EXIT). */
const CONTROL_C_EXIT = 0xc000013a;

/** Windows gives a program five seconds when its console is closed. Source: Microsoft's HandlerRoutine, CTRL_CLOSE_EVENT. */
const CONSOLE_CLOSES_AFTER = 4_500;

/** SIGBREAK is Ctrl-Break. */
export const win32Exits: SystemExits = {
  endingSignals: [...EVERYWHERE, "SIGBREAK"],
  signalNumbers: new Map(),
  hasTextStreams: true,
  graceAfter: (signal) => (signal === "SIGHUP" ? CONSOLE_CLOSES_AFTER : Number.POSITIVE_INFINITY),
  statusOfSignal: (signal) => (signal === "SIGINT" || signal === "SIGBREAK" ? CONTROL_C_EXIT : 1),
};

/** How far two readings of one clock may differ, in milliseconds. */
const ONE_READING = 1_000;

/**
 * Returns a child of this process, of which Node has not heard that it ended: Node holds
 * it open, and so its pid is no other's. To look when it began would take a second; it
 * began in this process's time, and has by now.
 */
function childOf(pid: number): Process {
  const began = timeOfDay() - process.uptime() * 1_000 - ONE_READING;
  return { pid, ppid: process.pid, group: 0, session: 0, state: "?", start: startBetween(began, timeOfDay()) };
}

/** A letter may stand for a drive of another machine: the real path begins with that one's name then. */
function isLocal(path: string): boolean {
  try {
    return !builtin("fs").realpathSync.native(path).startsWith("\\\\");
  } catch {
    return false;
  }
}

export const win32: System = {
  name: "Windows",

  filesHaveOwners: false, // but access lists
  whyOpenToOthers,
  privateDirectory:
    'a directory in your own profile, or to a new one that you have made yours alone: icacls DIRECTORY /inheritance:r /grant "YOUR-NAME:(OI)(CI)F"',
  /** NTFS has a sequence in the number of a file. Source: Microsoft's [MS-FSCC], 64-bit file ID. */
  givesInodesAgain: false,
  passingErrors: ["EBUSY", "EPERM", "ENOTEMPTY"], // ENOTEMPTY: what was in it goes when it is closed
  freesNamesAtOnce: false, // before libuv 1.49, which Node 22 has
  canTruncateAppended: false,
  canSyncDirectories: false, // the system does that by itself, and lets nobody ask for it
  O_PATH: 0,
  pathOfDescriptor: () => undefined,
  absolutePath: (path) => builtin("path").resolve(path),
  isLocal,
  isOverlay: () => false,
  mounts: () => [],
  stateDirectories: ({ LOCALAPPDATA }) => (LOCALAPPDATA === undefined ? [] : [LOCALAPPDATA]),
  /** UV_FS_O_EXLOCK, which lets nobody else open the file; and no flag, with which it can be opened beside others. */
  openLocks: { exclusive: 0x10000000, shared: 0, busy: ["EBUSY"] },

  nodeName: "node.exe",
  hasShell: false,
  runsBackslashes: true,
  findProgram,
  commandLineOf,
  hasSignals: false,

  whyUnseen: "this Windows has no PowerShell, which tells of processes",
  isSameStart,
  hasCheapLooks: false,
  processes: listProcesses,
  processesLater,
  endProcesses,
  processOf: (pid) => listProcesses().find((each) => each.pid === pid),
  childOf,
  newestPid: () => Number.NaN,
  isThread: () => false,
  isOfKernel: () => false,
  environmentOf: () => undefined,
  commandOf: () => [],
  seesOwnPids: hasPowerShell,
  isAlive: isAnybodys,
  mayHaveStartedBy: () => false, // there is no execve(2)
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
