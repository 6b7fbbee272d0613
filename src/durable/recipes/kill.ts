// kill: a process and its descendants, politely first, then by force.

import type { ChildProcess } from "node:child_process";
import coreFailure from "../../errors.js" with { type: "late" };
import { checkTime } from "../../time.js";
import { canListen } from "../../signals.js";
import failure from "../errors.js" with { type: "late" };
import { childOf, MARK, markOf, processOf } from "../processes.js";
import endTree from "./end-tree.js" with { type: "late" };
import type { RecipeKind } from "./recipe.js";

/** How a process is ended. */
export interface KillOptions {
  /** The signal that asks it to end. `SIGTERM` by default. */
  signal?: NodeJS.Signals;
  /** How long it may take before it is killed, in milliseconds. 5,000 by default; with 0 it is killed at once. */
  grace?: number;
}

export interface KillRecipe {
  readonly do: "kill";
  readonly pid: number;
  readonly start: string;
  /** Whether it leads a process group, in which its descendants can be found without it. */
  readonly leads: boolean;
  /** What its descendants have in their environments, where it was given one. */
  readonly mark?: string;
  readonly signal: NodeJS.Signals;
  readonly grace: number;
}

const DEFAULT_GRACE = 5_000;

/**
 * @param markOfEnded the mark of a child that has ended already
 * @throws a `RangeError` or `TypeError` for what is no process that this one may end
 */
export function describeKill(given: unknown, options: KillOptions, markOfEnded?: string): KillRecipe {
  const { signal = "SIGTERM", grace = DEFAULT_GRACE } = options;
  if (signal !== "SIGKILL" && !canListen(signal)) throw coreFailure("ERR_ATEXIT_SIGNAL", signal);
  checkTime("grace", grace);
  const child = isChild(given) ? given : undefined;
  const pid = child === undefined ? given : child.pid;
  if (pid === undefined) throw failure("ERR_ATEXIT_PROCESS", given, "was never started");
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid < 2) {
    throw failure("ERR_ATEXIT_PROCESS", given, "is no process that can be ended");
  }
  if (pid === process.pid) throw failure("ERR_ATEXIT_PROCESS", pid, "is this very process");
  const found = child === undefined ? processOf(pid) : childOf(pid);
  // A child can end at any time. A number without a process is a mistake.
  if (found === undefined && child === undefined) throw failure("ERR_ATEXIT_PROCESS", pid, "is no living process");
  const start = found?.start ?? "0";
  const mark = markOf(pid, markOfEnded);
  // One that this process has inherited marks its own siblings as well.
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

  async carryOut(recipe, { sameBoot, samePids }) {
    if (!sameBoot) return "gone";
    if (!samePids) {
      throw failure("ERR_ATEXIT_REPLACED", `process ${recipe.pid}`, "its number belongs to another pid namespace");
    }
    return endTree(recipe);
  },
};
