// Ends a process and its descendants, politely first, then by force.

import { durableError } from "../../errors/durable.ts";
import { allProcesses, isUngivenSince, processesSince, thisMoment } from "../../platform/process-list.ts";
import type { Process } from "../../platform/system.ts";
import { system } from "../../platform/this-system.ts";
import { type Tree, treeOf } from "../../platform/process-tree.ts";
import type { KillRecipe, Living, Success } from "./recipe-kind.ts";
import { process } from "../../platform/process.ts";
import { until } from "../../platform/wait.ts";

/** How long a killed process may take to be gone, in milliseconds; a process that waits for a disk takes longer. */
const KILLED_WITHIN = 2_000;

/**
 * @throws (rejects with) an error with the code `ERR_ATEXIT_STILL_THERE`, and the pids
 *   as `left`, where a process of the tree could not be ended, or `ERR_ATEXIT_REPLACED` where there are
 *   processes of which it is not known whether they are of the tree
 */
export async function killTree(recipe: KillRecipe, living: Living): Promise<Success> {
  if (!system.hasSignals) return endTree(recipe, living);
  const spared = new Set<number>();
  const look = looksAt(recipe, living, spared);
  let tree = look();
  const isGone = tree.members.length === 0;
  const refused = new Set<number>();
  const signal = (name: NodeJS.Signals) => {
    // Where a look takes a program, one is for all.
    const all = system.hasCheapLooks ? undefined : allProcesses();
    for (const member of tree.members) {
      if (send(member, name, all)) refused.delete(member.pid);
      else refused.add(member.pid);
    }
  };
  const isOver = () => {
    tree = look();
    return tree.members.every(({ pid }) => refused.has(pid));
  };
  if (!isGone && recipe.grace > 0 && recipe.signal !== "SIGKILL") {
    signal(recipe.signal);
    await until(isOver, recipe.grace);
  }
  if (!isGone) {
    await until(() => {
      signal("SIGKILL");
      return isOver();
    }, KILLED_WITHIN);
  }
  throwIfLeft(recipe, tree, refused, spared);
  return isGone ? "gone" : "done";
}

/** How often a tree is looked at and ended: it may grow meanwhile. */
const ROUNDS = 4;

/** Ends a tree where nothing can be asked to end. */
async function endTree(recipe: KillRecipe, living: Living): Promise<Success> {
  const spared = new Set<number>();
  const look = async (before: readonly Process[]) => {
    const rows = (await system.processesLater?.()) ?? [];
    const all = new Map(rows.map((row) => [row.pid, row]));
    return withoutThoseOf(living, treeOf(recipe, { all, before }), spared);
  };
  let tree = await look([]);
  const isGone = tree.members.length === 0;
  for (let round = 1; tree.members.length > 0 && round < ROUNDS; round += 1) {
    // The older first: they start no others then.
    const members = tree.members.toSorted((one, other) => Number(one.start) - Number(other.start));
    await system.endProcesses?.(members);
    tree = await look(members);
  }
  throwIfLeft(recipe, tree, new Set(), spared);
  return isGone ? "gone" : "done";
}

/**
 * Returns the recipe of a child that has ended just now, with those of its tree
 * that are still there: its pid may be given to another process from now on.
 */
export function noteMembers(recipe: KillRecipe): KillRecipe & Required<Pick<KillRecipe, "members">> {
  // Of one that had ended before, nobody knows who has had its pid since.
  const isUngiven = () => recipe.start !== "0" && system.childOf(recipe.pid) === undefined;
  const { members } = treeOf(recipe, { all: processesSince(recipe), isUngiven });
  return { ...recipe, members: members.map(({ pid, start }) => [pid, start]) };
}

/** Returns a function that looks for the tree, and knows what was there when it looked before. */
function looksAt(recipe: KillRecipe, living: Living, spared: Set<number>): () => Tree {
  let tree: Tree | undefined;
  let moment = thisMoment();
  return () => {
    const last = moment;
    const heldGroup = tree?.holdsGroup === true;
    moment = thisMoment();
    tree = treeOf(recipe, {
      before: tree?.members ?? [],
      // Between two looks all members can end, and leave children that nobody has seen.
      isUngiven: () => heldGroup && isUngivenSince(recipe.pid, last),
    });
    tree = withoutThoseOf(living, tree, spared);
    return tree;
  };
}

/** Returns a tree without the processes that somebody has registered who is alive and not of the tree, and notes them. */
function withoutThoseOf(living: Living, tree: Tree, spared: Set<number>): Tree {
  const pids = new Set(tree.members.map(({ pid }) => pid));
  const members = tree.members.filter((member) => {
    const isTheirs = living.hasProcess(member, pids);
    if (isTheirs) spared.add(member.pid);
    return !isTheirs;
  });
  return { ...tree, members };
}

/** @throws where something is left: of the tree, or that may be of it */
function throwIfLeft(
  { pid }: KillRecipe,
  { members, own, strangers }: Tree,
  refused: ReadonlySet<number>,
  spared: ReadonlySet<number>,
): void {
  const list = (processes: readonly Process[]) => processes.map((process_) => process_.pid).join(", ");
  const parts = [
    [members.filter((member) => !refused.has(member.pid)), "did not end when killed"],
    [members.filter((member) => refused.has(member.pid)), "may not be signalled by this user"],
    [own, "would end this process, which was to end it"],
  ] as const;
  const why = parts.filter(([left]) => left.length > 0).map(([left, what]) => `${list(left)} ${what}`);
  if (why.length > 0) {
    const left = parts.flatMap(([some]) => some.map((process_) => process_.pid));
    throw Object.assign(durableError("ERR_ATEXIT_STILL_THERE", `process ${pid}`, why.join("; ")), { left });
  }
  if (spared.size > 0) {
    const why = `${[...spared].join(", ")} is what a process that is alive has registered, too`;
    throw durableError("ERR_ATEXIT_REPLACED", `a part of the tree of process ${pid}`, why);
  }
  if (strangers.length === 0) return;
  throw durableError(
    "ERR_ATEXIT_REPLACED",
    `process group ${pid}`,
    `nothing proves that ${list(strangers)} came from the process that led it`,
  );
}

/**
 * Sends a signal, after a last look: the pid may be another process's by now.
 *
 * @returns whether this process may do so
 */
function send({ pid, start }: Process, signal: NodeJS.Signals, all?: ReadonlyMap<number, Process>): boolean {
  const found = all === undefined ? system.processOf(pid) : all.get(pid);
  if (found?.start !== start) return true;
  try {
    process.kill(pid, signal);
    // A stopped process would hear nothing before it goes on; SIGKILL ends it all the same.
    if (found.state === "T" && signal !== "SIGKILL") process.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ESRCH") throw error;
    return code === "ESRCH";
  }
}
