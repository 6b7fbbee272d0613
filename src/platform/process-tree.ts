// The tree of a process: its descendants, and the members of the process group and
// session that it leads, or led.

import { helperOf, isHelper, markOf } from "./process-environment.ts";
import { allProcesses, isSame, ownLine } from "./process-list.ts";
import { process } from "./process.ts";
import type { Process } from "./system.ts";
import { system } from "./this-system.ts";

/** The process whose tree is meant. */
export interface Root {
  readonly pid: number;
  /** When it started; "0" where its pid says nothing of it any more. */
  readonly start: string;
  /** Whether the process leads a process group, or did. */
  readonly leads: boolean;
  /** The mark in its environment, and in that of its descendants, and in no other. */
  readonly mark?: string | undefined;
  /** A clock tick in which it was alive. */
  readonly seen?: number | undefined;
  /** Those of its tree that were there when it had ended. */
  readonly members?: readonly (readonly [pid: number, start: string])[] | undefined;
}

export interface Tree {
  readonly members: readonly Process[];
  /** Members that must not end: this process, and those that it descends from. */
  readonly own: readonly Process[];
  /** The processes in the group or session of the root's number, where nothing proves that it still is the root's. */
  readonly strangers: readonly Process[];
  /** Whether the group and the session of the root's number are the root's. */
  readonly holdsGroup: boolean;
}

/** How a tree is looked for, where it is not for the first time. */
export interface Search {
  /** Those found before, whose parents may have ended since. */
  readonly before?: readonly Process[];
  /** The processes among which it is looked for. */
  readonly all?: ReadonlyMap<number, Process>;
  /** Reports whether the root's number is known not to have been given again. */
  readonly isUngiven?: () => boolean;
}

/**
 * Returns the root, if its pid was not reused, its descendants, the processes
 * with its mark, those noted or found before, and the group and session of its
 * number, if these are still the root's.
 *
 * Guards and other helpers are not among them, nor is what these have started:
 * they clean up after a member.
 */
export function treeOf(root: Root, search: Search = {}): Tree {
  const { all = allProcesses(), before = [], isUngiven = () => false } = search;
  const tree = new Map<number, Process>();
  const noted = new Map(root.members);
  for (const { pid, start } of before) noted.set(pid, start);
  for (const member of all.values()) {
    const { pid, start } = member;
    if (isSame(member, root) || noted.get(pid) === start || isMarked(root, member)) tree.set(pid, member);
  }
  const group = root.leads ? [...all.values()].filter((member) => isInGroup(root, member)) : [];
  const isOwn = (member: Process) => tree.has(member.pid) || isOld(root, member);
  const holdsGroup = root.leads && (isSame(system.childOf(root.pid), root) || group.some(isOwn) || isUngiven());
  if (holdsGroup) for (const member of group) tree.set(member.pid, member);
  addDescendants(tree, all);
  if (tree.size > 0) removeHelpers(tree, root);
  const own = tree.size > 0 ? removeOwn(tree, all) : [];
  const strangers = holdsGroup ? [] : group.filter(({ pid }) => !tree.has(pid));
  return { members: [...tree.values()], own, strangers, holdsGroup };
}

function isInGroup({ pid }: Root, { group, session }: Process): boolean {
  return group === pid || session === pid;
}

/** No descendant is older than the root: most processes need not be looked at closely. */
function isMarked({ mark, start }: Root, member: Process): boolean {
  return mark !== undefined && Number(member.start) >= Number(start) && markOf(member.pid) === mark;
}

/**
 * Reports whether a member of the group began while the root lived. As long as a
 * group has a member, its number is given to no new process, so one such member
 * proves that all are the root's. Source: setpgid(2), fork(2).
 */
function isOld({ start, seen }: Root, member: Process): boolean {
  return seen !== undefined && Number(member.start) >= Number(start) && Number(member.start) <= seen;
}

/** Adds the children of members, until there is none left; none is older than its parent. */
function addDescendants(tree: Map<number, Process>, all: ReadonlyMap<number, Process>): void {
  for (let found = -1; found !== tree.size;) {
    found = tree.size;
    for (const member of all.values()) {
      const parent = tree.get(member.ppid);
      if (parent !== undefined && !(Number(member.start) < Number(parent.start))) tree.set(member.pid, member);
    }
  }
}

/** Removes members with all that descends from them. */
function removeWithDescendants(tree: Map<number, Process>, removed: Map<number, Process>): void {
  addDescendants(removed, tree);
  for (const pid of removed.keys()) tree.delete(pid);
}

function removeHelpers(tree: Map<number, Process>, root: Root): void {
  const inherited = isSame(tree.get(root.pid), root) ? helperOf(root.pid) : "";
  const helpers = new Map(
    [...tree].filter(
      ([pid, member]) => !isSame(member, root) && (member.isHelper === true || isHelper(pid, inherited)),
    ),
  );
  removeWithDescendants(tree, helpers);
}

/** @returns this process and those that it descends from, where they were in the tree */
function removeOwn(tree: Map<number, Process>, all: ReadonlyMap<number, Process>): Process[] {
  const line = ownLine(all);
  const own = [...tree.values()].filter(({ pid }) => line.has(pid));
  const self = tree.get(process.pid);
  if (self !== undefined) removeWithDescendants(tree, new Map([[self.pid, self]]));
  for (const { pid } of own) tree.delete(pid);
  return own;
}
