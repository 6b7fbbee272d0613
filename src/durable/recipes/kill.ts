// kill: a process and its descendants, politely first, then by force.

import type { ChildProcess } from "node:child_process";
import { coreError } from "../../errors/core.ts";
import { checkTime } from "../../settings/milliseconds.ts";
import { canListen } from "../../platform/signal-list.ts";
import { durableError } from "../../errors/durable.ts";
import { MARK, markOf } from "../../platform/process-environment.ts";
import { allProcesses, lastTick, ownLine } from "../../platform/process-list.ts";
import type { Process } from "../../platform/system.ts";
import { system } from "../../platform/this-system.ts";
import { killTree } from "./kill-tree.ts";
import type { KillRecipe, RecipeKind } from "./recipe-kind.ts";
import { environment, process } from "../../platform/process.ts";

/** How a process is ended. */
export interface KillOptions {
  /** The signal that asks it to end. `SIGTERM` by default. */
  signal?: NodeJS.Signals;
  /** How long it may take before it is killed, in milliseconds. 5,000 by default; with 0 it is killed at once. */
  grace?: number;
}

const DEFAULT_GRACE = 5_000;

/**
 * @param markOfEnded the mark of a child that has ended already
 * @throws a `RangeError` or `TypeError` for what is no process that this one may end
 */
export function describeKill(given: unknown, options: KillOptions, markOfEnded?: unknown): KillRecipe {
  const { signal = "SIGTERM", grace = DEFAULT_GRACE } = options;
  if (signal !== "SIGKILL" && !canListen(signal)) throw coreError("ERR_ATEXIT_SIGNAL", signal);
  checkTime("grace", grace);
  const child = isChild(given) ? given : undefined;
  const pid = checkPid(child === undefined ? given : child.pid, given);
  // It is read before the process is looked at, which then was alive in it.
  const seen = lastTick();
  const found = child === undefined ? livingProcess(pid) : ownChild(child, pid);
  const ofEnded = typeof markOfEnded === "string" && markOfEnded !== "" ? markOfEnded : undefined;
  const mark = found === undefined ? ofEnded : markOf(pid, ofEnded);
  // A mark that this process has inherited marks its own siblings as well.
  const ownMark = mark === undefined || mark === environment()[MARK] ? {} : { mark };
  const asked = { signal, grace, ...ownMark };
  // Whether a child that has ended led a group, the members tell that have its mark.
  if (found === undefined) return { do: "kill", pid, start: "0", leads: "mark" in ownMark, ...asked };
  const leads = found.group === pid && !isAmong(pid);
  const known = leads && seen !== undefined ? { seen } : {};
  return { do: "kill", pid, start: found.start, leads, ...known, ...asked };
}

function checkPid(pid: unknown, given: unknown): number {
  if (pid === undefined) throw durableError("ERR_ATEXIT_PROCESS", given, "was never started");
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid < 2) {
    throw durableError("ERR_ATEXIT_PROCESS", given, "is no process that can be ended");
  }
  if (pid === process.pid) throw durableError("ERR_ATEXIT_PROCESS", pid, "is this very process");
  if (!system.seesOwnPids()) {
    throw durableError("ERR_ATEXIT_PROCESS", pid, `cannot be found: ${system.whyUnseen}`);
  }
  return pid;
}

/** Returns the process of a pid. A number without a process is a mistake. */
function livingProcess(pid: number): Process {
  const found = system.processOf(pid);
  if (found === undefined || system.isThread(pid))
    throw durableError("ERR_ATEXIT_PROCESS", pid, "is no living process");
  if (system.isOfKernel(pid))
    throw durableError("ERR_ATEXIT_PROCESS", pid, "is a thread of the kernel, which nothing ends");
  if (ownLine(system.hasCheapLooks ? new Map() : allProcesses()).has(pid))
    throw durableError("ERR_ATEXIT_PROCESS", pid, "is a process that this one descends from");
  return found;
}

/** Returns a child's process, also a zombie. A child can end at any time, and its pid is a stranger's then. */
function ownChild(child: ChildProcess, pid: number): Process | undefined {
  const found = hasEnded(child) ? undefined : system.childOf(pid);
  return found?.ppid === process.pid ? found : undefined;
}

/** Reports whether this process is in the group or session that a process leads: its siblings are, too. */
function isAmong(pid: number): boolean {
  const self = system.processOf(process.pid);
  return self?.group === pid || self?.session === pid;
}

/** Reports whether a child has ended, as far as Node has heard. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return (exitCode ?? signalCode ?? null) !== null;
}

/** Reports whether a value is a child process, also one that could not be started. */
export function isChild(given: unknown): given is ChildProcess {
  return (
    typeof given === "object" &&
    given !== null &&
    "spawnfile" in given &&
    typeof (given as Partial<ChildProcess>).once === "function"
  );
}

function isPid(given: unknown): given is number {
  return Number.isInteger(given) && (given as number) > 1;
}

function isNote(given: unknown): boolean {
  return Array.isArray(given) && given.length === 2 && isPid(given[0]) && typeof given[1] === "string";
}

export const killRecipe: RecipeKind<KillRecipe> = {
  matches: ({ pid, start, leads, mark, seen, members, signal, grace }) =>
    isPid(pid) &&
    typeof start === "string" &&
    typeof leads === "boolean" &&
    (mark === undefined || (typeof mark === "string" && mark !== "")) &&
    (seen === undefined || Number.isFinite(seen)) &&
    (members === undefined || (Array.isArray(members) && members.every(isNote))) &&
    typeof signal === "string" &&
    (signal === "SIGKILL" || canListen(signal)) &&
    Number.isFinite(grace),

  title: ({ pid }) => `kill ${pid}`,

  names: ({ pid, start }, { pidns }) => [`process ${pidns} ${pid} ${start}`],

  directories: () => [],

  async carryOut(recipe, { sameBoot, samePids, living }) {
    if (!sameBoot) return "gone";
    // The pid belongs to another namespace, and so do those who can tell what became of it.
    if (!samePids) return "elsewhere";
    if (!system.seesOwnPids()) {
      throw durableError("ERR_ATEXIT_STILL_THERE", `process ${recipe.pid}`, system.whyUnseen);
    }
    return killTree(recipe, living);
  },
};
