// kill: a process and its descendants, politely first, then by force.

import type { ChildProcess } from "node:child_process";
import { coreError } from "../../errors/core.ts";
import { checkTime } from "../../settings/milliseconds.ts";
import { canListen } from "../../platform/signal-list.ts";
import { durableError } from "../../errors/durable.ts";
import { childOf, MARK, markOf, processOf } from "../../platform/process-tree.ts";
import { killTree } from "./kill-tree.ts";
import type { KillRecipe, RecipeKind } from "./recipe-kind.ts";

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
export function describeKill(given: unknown, options: KillOptions, markOfEnded?: string): KillRecipe {
  const { signal = "SIGTERM", grace = DEFAULT_GRACE } = options;
  if (signal !== "SIGKILL" && !canListen(signal)) throw coreError("ERR_ATEXIT_SIGNAL", signal);
  checkTime("grace", grace);
  const child = isChild(given) ? given : undefined;
  const pid = child === undefined ? given : child.pid;
  if (pid === undefined) throw durableError("ERR_ATEXIT_PROCESS", given, "was never started");
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid < 2) {
    throw durableError("ERR_ATEXIT_PROCESS", given, "is no process that can be ended");
  }
  if (pid === process.pid) throw durableError("ERR_ATEXIT_PROCESS", pid, "is this very process");
  const found = child === undefined ? processOf(pid) : childOf(pid);
  // A child can end at any time. A number without a process is a mistake.
  if (found === undefined && child === undefined) throw durableError("ERR_ATEXIT_PROCESS", pid, "is no living process");
  const start = found?.start ?? "0";
  const mark = markOf(pid, markOfEnded);
  // A mark that this process has inherited marks its own siblings as well.
  const own = mark === undefined || mark === process.env[MARK] ? {} : { mark };
  return { do: "kill", pid, start, leads: found?.group === pid, signal, grace, ...own };
}

function isChild(given: unknown): given is ChildProcess {
  return typeof given === "object" && given !== null && "pid" in given && "spawnfile" in given;
}

export const killRecipe: RecipeKind<KillRecipe> = {
  matches: ({ pid, start, leads, mark, signal, grace }) =>
    Number.isInteger(pid) &&
    (pid as number) > 1 &&
    typeof start === "string" &&
    typeof leads === "boolean" &&
    (mark === undefined || (typeof mark === "string" && mark !== "")) &&
    typeof signal === "string" &&
    (signal === "SIGKILL" || canListen(signal)) &&
    Number.isFinite(grace),

  title: ({ pid }) => `kill ${pid}`,

  names: ({ pid, start }, { pidns }) => [`process ${pidns} ${pid} ${start}`],

  async carryOut(recipe, { sameBoot, samePids }) {
    if (!sameBoot) return "gone";
    if (!samePids) {
      throw durableError("ERR_ATEXIT_REPLACED", `process ${recipe.pid}`, "its number belongs to another pid namespace");
    }
    return killTree(recipe);
  },
};
