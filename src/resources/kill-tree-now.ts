// Ends any process with its descendants, now: nothing is written down, and nothing is
// left for the exit.

import type { ChildProcess } from "node:child_process";
import { describeKill, isChild, type KillOptions } from "../durable/recipes/kill.ts";
import { killTree } from "../durable/recipes/kill-tree.ts";
import type { KillRecipe, Living } from "../durable/recipes/recipe-kind.ts";
import { blameCaller } from "../errors/define-errors.ts";
import { system } from "../platform/this-system.ts";
import type { Callee } from "./register-for-caller.ts";

/** Who is asked by name to end a process is given it, whoever else has registered it. */
const NOBODY: Living = { whoIsIn: () => undefined, hasProcess: () => false, directories: () => new Map() };

export async function killTreeNow(callee: Callee, target: ChildProcess | number, options: KillOptions): Promise<void> {
  let recipe: KillRecipe;
  try {
    recipe = blameCaller(callee, () => describeKill(target, options));
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_ATEXIT_PROCESS" && isOver(target)) return;
    throw error;
  }
  await killTree(recipe, NOBODY);
}

/** Reports whether a pid is nobody's any more: between a look and a call a process may always end. */
function isOver(target: ChildProcess | number): boolean {
  if (isChild(target)) return target.pid === undefined;
  return Number.isInteger(target) && target > 1 && system.seesOwnPids() && system.processOf(target) === undefined;
}
