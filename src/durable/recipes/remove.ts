// remove: a file, a link, or a directory with all that is in it, and nothing that
// has taken its place. It follows no link, and leaves mounted directories.

import { builtin, now } from "../../platform/node-builtins.ts";
import { patiently } from "../../platform/patience.ts";
import { durableError } from "../../errors/durable.ts";
import { type FileIdentity, identityOf, inodeOf, isFileIdentity, isSameFile } from "../../platform/file-identity.ts";
import { absolutePath } from "../../platform/absolute-path.ts";
import { type OpenEntry, openEntry, type Place, placeOf } from "../../platform/open-directory.ts";
import { boundTo } from "../../platform/bound-sockets.ts";
import { openRegularFile } from "../../platform/regular-file.ts";
import { assertRemovable } from "./protected-paths.ts";
import { directoryIn } from "./directory-in.ts";
import type { RecipeKind, ReplayContext, Success } from "./recipe-kind.ts";
import { removeTree } from "./remove-tree.ts";
import { process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

type Stats = import("node:fs").Stats;

export interface RemoveRecipe extends Place {
  readonly do: "remove";
  /**
   * The file that is meant; where none was there at registration, that time, by the
   * clock of the journal's file system in milliseconds: a later file is meant.
   */
  readonly is: FileIdentity | number;
  /** Whether the owner makes it itself, under a name that no other program knows. */
  readonly made?: true;
  /** What is in the file: one that holds something else is another program's by now. */
  readonly holds?: string;
  /** Whether a directory goes only where nothing is in it. */
  readonly onlyIfEmpty?: true;
}

/** How far the clock behind a file's time of birth may be late, in milliseconds: one tick. */
const CLOCK_TICK = 20;

/** How long what is compared may be, in bytes. */
const LONGEST_CONTENT = 4_096;

/** How long a file that another program has open is waited for where the system removes none, in milliseconds. */
const IN_USE = 1_500;

/** The same in a guard, which nobody waits for, and at the next start. */
const LONG_IN_USE = 10_000;

const fs = builtin("fs");
const { dirname, isAbsolute, resolve } = builtin("path");

/**
 * @param clock tells the time of registration, by the clock of the journal's file system in milliseconds
 * @throws a `TypeError` or `RangeError` for what must not be removed
 */
export function describeRemove(given: unknown, clock: () => number): RemoveRecipe {
  const path = absolute(given);
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  const place = placeOf(path);
  if (stats === undefined) return { do: "remove", ...place, is: clock() };
  if (stats.isDirectory()) assertRemovable(path, stats);
  return { do: "remove", ...place, is: identityOf(stats) };
}

/**
 * Returns the recipe for a file that this program is about to make, under a name that
 * nobody else knows, or with a content that nobody else writes.
 */
export function describeRemoveOfNew(
  path: string,
  condition: Pick<RemoveRecipe, "holds" | "onlyIfEmpty"> = {},
): RemoveRecipe {
  return { do: "remove", ...placeOf(path), is: 0, made: true, ...condition };
}

/**
 * Returns the recipe for a file that this program is about to make under a name that others
 * know as well: before it is identified, its time of birth has to tell that it is this one.
 */
export function describeRemoveOfNamed(
  path: string,
  clock: () => number,
  condition: Pick<RemoveRecipe, "holds" | "onlyIfEmpty"> = {},
): RemoveRecipe {
  return { do: "remove", ...placeOf(path), is: clock(), ...condition };
}

/** Returns the recipe with the identity of the file, where there is one by now that it can mean. */
function identified(recipe: RemoveRecipe): RemoveRecipe | undefined {
  const { below, is: since, ...rest } = recipe;
  const { path } = rest;
  if (typeof since !== "number") return undefined;
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || whyNotNew(stats, since) !== undefined) return undefined;
  return { ...rest, ...(below === undefined ? {} : placeOf(path)), is: identityOf(stats) };
}

function absolute(given: unknown): string {
  // The slash at the end of a URL would lead through a link.
  if (given instanceof URL && given.protocol === "file:") return absolutePath(builtin("url").fileURLToPath(given));
  if (typeof given !== "string" || given === "" || given.includes("\0")) throw durableError("ERR_ATEXIT_PATH", given);
  if (isAbsolute(given)) return absolutePath(given);
  // Node remembers the working directory, and does not notice when it is gone.
  try {
    if (fs.existsSync(process.cwd())) return absolutePath(given);
  } catch {
    // A worker thread asks the system.
  }
  throw durableError("ERR_ATEXIT_NO_DIRECTORY", given);
}

export const removeRecipe: RecipeKind<RemoveRecipe> = {
  matches: ({ path, in: parent, below, is, made, holds, onlyIfEmpty }) =>
    typeof path === "string" &&
    isAbsolute(path) &&
    resolve(path) === path &&
    !path.includes("\0") &&
    isFileIdentity(parent) &&
    (below === undefined || (Number.isSafeInteger(below) && (below as number) > 0)) &&
    (made === undefined || made === true) &&
    (holds === undefined || typeof holds === "string") &&
    (onlyIfEmpty === undefined || onlyIfEmpty === true) &&
    (Number.isFinite(is) || isFileIdentity(is)),

  json: ({ path, in: parent, below, is, made, holds, onlyIfEmpty }) =>
    `{"do":"remove","path":${JSON.stringify(path)},"in":${textOf(parent)}${below === undefined ? "" : `,"below":${below}`},"is":${textOf(is)}${made === true ? ',"made":true' : ""}${holds === undefined ? "" : `,"holds":${JSON.stringify(holds)}`}${onlyIfEmpty === true ? ',"onlyIfEmpty":true' : ""}}`,

  title: ({ path }) => `remove ${path}`,

  names: ({ path, in: parent, below = 1 }, { view }) => [
    `path ${view} ${path}`,
    `entry ${parent[0]}:${parent[1]} ${path.split("/").slice(-below).join("/")}`,
  ],

  directories: ({ in: parent }) => [parent],

  // What the owner makes itself it identifies itself, as soon as that is made.
  isIdentified: ({ is, made }) => typeof is !== "number" || made === true,

  identified,

  carryOut(recipe, context) {
    const { path } = recipe;
    if (dirname(path) === path) throw durableError("ERR_ATEXIT_PROTECTED_PATH", path, "the root directory");
    const entry = openEntry(recipe, context.sameDevices);
    if (entry === "gone") return notHere(context);
    if ("why" in entry) {
      if (!context.sameView) return "elsewhere";
      throw durableError("ERR_ATEXIT_REPLACED", path, entry.why);
    }
    try {
      return removeEntry(recipe, entry, context);
    } finally {
      entry.close();
    }
  },
};

function textOf(is: FileIdentity | number): string {
  return typeof is === "number" ? String(is) : `[${is[0]},${is[1]},${is[2]}]`;
}

/** What is not here may be there, for those who see the owner's file systems. */
function notHere({ sameView }: ReplayContext): Success {
  return sameView ? "gone" : "elsewhere";
}

function removeEntry(
  { path, is, made, holds, onlyIfEmpty }: RemoveRecipe,
  entry: OpenEntry,
  context: ReplayContext,
): Success {
  const stats = fs.lstatSync(entry.path, { throwIfNoEntry: false });
  if (stats === undefined) return notHere(context);
  const isMeant = typeof is !== "number" && isSameFile(stats, entry.path, is, context.sameDevices);
  if (!isMeant && !context.sameView) return "elsewhere";
  const why =
    typeof is !== "number"
      ? isMeant
        ? whyOfAnother(stats, entry, is, context)
        : "another file has taken its place"
      : (whyNotNew(stats, is) ?? (made === true ? undefined : whyNotOwners(stats, entry, context)));
  if (why !== undefined) throw durableError("ERR_ATEXIT_REPLACED", path, why);
  if (holds !== undefined && contentOf(entry.path) !== holds) {
    throw durableError("ERR_ATEXIT_REPLACED", path, "something else has been written into it");
  }
  const until = now() + (context.isOwner ? IN_USE : LONG_IN_USE);
  if (!stats.isDirectory()) {
    patiently(until, () => fs.unlinkSync(entry.path));
    return "done";
  }
  assertRemovable(path, stats, made === true);
  const theirs = context.living.directories();
  assertNobodyIsIn(path, context.living.whoIsIn(entry.realPath) ?? theirs.get(inodeOf(stats)));
  // The system removes no mount point. One with something in it stays where that was asked for.
  if (removedEmpty(entry.path) || onlyIfEmpty === true) return "done";
  // What this process has made itself, with a name that nobody knew, has nothing of another's mounted in it
  // that would have this directory's own device; what has another one stays in any case.
  assertNoMount(entry.realPath, made === true && context.isOwner);
  assertNobodyIsIn(path, directoryIn(entry.path, theirs));
  removeTree(entry.path, path, stats, until);
  return "done";
}

/** Returns what is in a small file; `undefined` where it is another one. */
function contentOf(path: string): string | undefined {
  try {
    const { fd, stats } = openRegularFile(path, fs.constants.O_RDONLY);
    try {
      return stats.size > LONGEST_CONTENT ? undefined : fs.readFileSync(fd, "utf8");
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** @throws an error with the code `ERR_ATEXIT_REPLACED` where somebody who is alive has something in a directory */
function assertNobodyIsIn(path: string, who: string | undefined): void {
  if (who !== undefined) throw durableError("ERR_ATEXIT_REPLACED", path, who);
}

/** Removes an empty directory, as most are by then, in one call. Reports whether it was empty. */
function removedEmpty(path: string): boolean {
  try {
    fs.rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Returns why the file that was registered may be in use by another program, or another one by now, or `undefined`. */
function whyOfAnother(stats: Stats, entry: OpenEntry, is: FileIdentity, context: ReplayContext): string | undefined {
  const why = whyInUse(stats, entry, context);
  if (why !== undefined || context.isOwner) return why;
  // Without a time of birth another file may have been given its number.
  if (is[2] > 0) return undefined;
  const { bornUntil } = context;
  return bornUntil !== undefined && latest(stats.ctimeMs) <= bornUntil
    ? undefined
    : "the file system keeps no times of birth, and it has changed since the program that registered it died";
}

/** Returns the latest time that one of a file may stand for, in milliseconds: such file systems often count seconds. */
function latest(time: number): number {
  return time % 1_000 === 0 ? time + 999 : time;
}

function whyNotNew(stats: Stats, registeredAt: number): string | undefined {
  const isNew = stats.birthtimeMs <= 0 || stats.birthtimeMs >= registeredAt - CLOCK_TICK;
  return isNew ? undefined : "it is older than the registration, and was moved here";
}

/** Returns why a file that was never identified cannot be known to have been its owner's, or `undefined`. */
function whyNotOwners(stats: Stats, entry: OpenEntry, context: ReplayContext): string | undefined {
  const { isOwner, bornUntil } = context;
  const why = whyInUse(stats, entry, context);
  if (why !== undefined || isOwner) return why;
  if (bornUntil === undefined || stats.birthtimeMs <= 0 || !system.isLocal(dirname(entry.path))) {
    return "it was made after the registration, and nothing tells by whom";
  }
  if (stats.birthtimeMs > bornUntil)
    return "it is younger than the last sign of life of the program that registered it";
  return undefined;
}

/** Returns that another program is bound to a socket, or `undefined`. A dead owner is bound to nothing. */
function whyInUse(stats: Stats, entry: OpenEntry, { isOwner }: ReplayContext): string | undefined {
  if (!stats.isSocket()) return undefined;
  const who = boundTo(stats, entry.realPath);
  return who === undefined || (isOwner && who === "this process")
    ? undefined
    : "a program that is alive is bound to it, or may be";
}

/**
 * @throws an error with the code `ERR_ATEXIT_REPLACED` where something is mounted
 *   on a directory or below it. A bind mount has the same device, and shows only here.
 * @param isKnown whether nothing need be feared of one that does not show
 */
function assertNoMount(path: string, isKnown: boolean): void {
  const table = system.mounts();
  if (table === undefined) {
    if (isKnown) return;
    throw durableError("ERR_ATEXIT_REPLACED", path, "what is mounted in it cannot be known: there is no /proc to tell");
  }
  const mount = table.find(({ point }) => point === path || point.startsWith(`${path}/`));
  if (mount === undefined) return;
  const where = mount.point === path ? "it is a mount point" : `${mount.point} is mounted inside`;
  throw durableError("ERR_ATEXIT_REPLACED", path, where);
}
