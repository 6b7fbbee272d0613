// Linux.

import { ON_POSIX, POSIX_NUMBERS } from "./ending-signals.ts";
import { isInBackground, isInForeground } from "./foreground.ts";
import { mountTable } from "./mount-table.ts";
import { builtin } from "./node-builtins.ts";
import { bootId, posix, startedAt, uptime } from "./posix.ts";
import * as environment from "./proc-environment.ts";
import * as proc from "./proc.ts";
import { process } from "./process.ts";
import { statfsType } from "./statfs-type.ts";
import type { System, SystemExits } from "./system.ts";
import { hasRoomForThreads } from "./thread-limits.ts";

/** SIGIO is ignored by default on the BSDs and macOS; SIGPWR says that the power is failing. */
export const linuxExits: SystemExits = {
  endingSignals: [...ON_POSIX, "SIGIO", "SIGPWR", "SIGSTKFLT"],
  signalNumbers: POSIX_NUMBERS,
  hasRoomForThreads,
  isInBackground,
  openStderr,
};

function openStderr(): number | undefined {
  const { constants, fstatSync, openSync } = builtin("fs");
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  const file = fstatSync(2);
  return file.isFIFO() || file.isCharacterDevice()
    ? openSync("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY)
    : undefined;
}

const OVERLAY = 0x794c7630;

/** ext2 to 4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS. Source: statfs(2). */
const LOCAL = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, OVERLAY, 0xf2f52010, 0x2fc12fc1]);

let hasDescriptorPaths: boolean | undefined;

/** Node's permission model may not let a program use them. */
function pathOfDescriptor(fd: number): string | undefined {
  hasDescriptorPaths ??= mayUse("/proc/self/fd") && builtin("fs").existsSync("/proc/self/fd");
  return hasDescriptorPaths ? `/proc/self/fd/${fd}` : undefined;
}

/** Source: https://nodejs.org/api/permissions.html; without the model there is no such object. */
function mayUse(path: string): boolean {
  const { permission } = process as { permission?: { has(scope: string, reference: string): boolean } };
  return permission === undefined || ["fs.read", "fs.write"].every((scope) => permission.has(scope, path));
}

export const linux: System = /* @__PURE__ */ onPosix({
  name: "Linux",

  O_PATH: 0o10_000_000, // Source: open(2); Node has no name for it
  pathOfDescriptor,
  isLocal: (path) => LOCAL.has(statfsType(path) ?? 0),
  isOverlay: (path) => statfsType(path) === OVERLAY,
  mounts: mountTable,

  whyUnseen: "/proc shows the pids of another namespace",
  hasCheapLooks: true,
  processes: proc.processes,
  processOf: proc.processOf,
  childOf: proc.childOf,
  newestPid: proc.newestPid,
  isThread: proc.isThread,
  isOfKernel: proc.isOfKernel,
  environmentOf: environment.environmentOf,
  commandOf: environment.commandOf,
  seesOwnPids: proc.seesOwnPids,
  isAlive: proc.isAlive,
  mayBeElsewhere: proc.mayBeElsewhere,
  isThreadAlive: proc.isThreadAlive,

  startOf: proc.startOf,
  ownThread: proc.ownThread,
  namespaces: proc.namespaces,
  // A container may have no /proc.
  bootId: () => proc.bootId() ?? bootId(),
  startedAt: () => proc.startedAt() ?? startedAt(),
  exactUptime: proc.uptime,
  uptime: () => proc.uptime() || uptime(),

  isInForeground,
  stateOf: proc.stateOf,
});

function onPosix(own: Partial<System>): System {
  return { ...posix, ...own };
}
