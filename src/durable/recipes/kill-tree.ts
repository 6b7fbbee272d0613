// Ends a process and its descendants, politely first, then by force.

import { now, setTimeout } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { type Process, processOf, treeOf } from "../../platform/process-tree.ts";
import type { KillRecipe, Success } from "./recipe-kind.ts";

/** How long a killed process may take to be gone, in milliseconds; a process that waits for a disk takes longer. */
const KILLED_WITHIN = 2_000;

export async function killTree(recipe: KillRecipe): Promise<Success> {
  let members = treeOf(recipe);
  if (members.length === 0) return "gone";
  const look = () => (members = treeOf(recipe, members));
  if (recipe.grace > 0 && recipe.signal !== "SIGKILL") {
    for (const member of members) send(member, recipe.signal);
    await until(() => look().length === 0, recipe.grace);
  }
  const ended = await until(() => {
    for (const member of look()) send(member, "SIGKILL");
    return members.length === 0;
  }, KILLED_WITHIN);
  if (!ended) {
    const pids = members.map(({ pid }) => pid).join(", ");
    throw durableError("ERR_ATEXIT_STILL_THERE", `process ${recipe.pid}`, `${pids} did not end when killed`);
  }
  return "done";
}

/** Sends a signal, after a last look: the pid may be another process's by now. */
function send({ pid, start }: Process, signal: NodeJS.Signals): void {
  if (processOf(pid)?.start !== start) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPERM") throw durableError("ERR_ATEXIT_STILL_THERE", `process ${pid}`, "it belongs to another user");
    if (code !== "ESRCH") throw error;
  }
}

/** Reports whether a condition comes true within the limit; asks less often as time goes on. */
async function until(isSo: () => boolean, limit: number): Promise<boolean> {
  const end = now() + limit;
  for (let pause = 2; !isSo(); pause = Math.min(pause * 1.5, 50)) {
    if (now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(pause, Math.max(1, end - now()))));
  }
  return true;
}
