// remove: a file, a link, or a directory with all that is in it, and nothing that
// has taken its place. It follows no link, and leaves mounted directories.

import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { assertRemovable } from "./protected-paths.ts";
import type { RecipeKind } from "./recipe-kind.ts";
import { removeTree } from "./remove-tree.ts";

/** The identity of a file, whatever its path says: device, inode, and birth time in milliseconds. */
type Identity = readonly [dev: number, ino: number, birth: number];

export interface RemoveRecipe {
  readonly do: "remove";
  /** Absolute. */
  readonly path: string;
  /** The file that was there at registration; where there was none, the time in milliseconds: a later file is meant. */
  readonly is: Identity | number;
}

/** How far the clock behind a file's time of birth may be late, in milliseconds: one tick. */
const CLOCK_TICK = 20;

const fs = builtin("fs");
const { isAbsolute, resolve } = builtin("path");

/** @throws a `TypeError` or `RangeError` for what must not be removed */
export function describeRemove(given: unknown): RemoveRecipe {
  const path = absolute(given);
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { do: "remove", path, is: Date.now() };
  if (stats.isDirectory()) assertRemovable(path, stats);
  return { do: "remove", path, is: [stats.dev, stats.ino, stats.birthtimeMs] };
}

function absolute(given: unknown): string {
  if (given instanceof URL && given.protocol === "file:") return builtin("url").fileURLToPath(given);
  if (typeof given !== "string" || given === "" || given.includes("\0")) throw durableError("ERR_ATEXIT_PATH", given);
  if (isAbsolute(given)) return resolve(given);
  // Node remembers the working directory, and does not notice when it is gone.
  try {
    if (fs.existsSync(process.cwd())) return resolve(given);
  } catch {
    // A worker thread asks the system.
  }
  throw durableError("ERR_ATEXIT_NO_DIRECTORY", given);
}

export const removeRecipe: RecipeKind<RemoveRecipe> = {
  matches: ({ path, is }) =>
    typeof path === "string" &&
    isAbsolute(path) &&
    !path.includes("\0") &&
    (Number.isFinite(is) || (Array.isArray(is) && is.length === 3 && is.every((part) => Number.isFinite(part)))),

  json: ({ path, is }) =>
    `{"do":"remove","path":${JSON.stringify(path)},"is":${typeof is === "number" ? is : `[${is[0]},${is[1]},${is[2]}]`}}`,

  title: ({ path }) => `remove ${path}`,

  carryOut({ path, is }, { sameBoot }) {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return "gone";
    const why = typeof is === "number" ? whyNotNew(stats, is) : whyNotSame(stats, is, sameBoot);
    if (why !== undefined) throw durableError("ERR_ATEXIT_REPLACED", path, why);
    if (stats.isDirectory()) {
      assertRemovable(path, stats);
      if (!removedEmpty(path)) removeTree(path, stats);
    } else {
      fs.unlinkSync(path);
    }
    return "done";
  },
};

/** Removes an empty directory, as most are by then, in one call. Reports whether it was empty. */
function removedEmpty(path: string): boolean {
  try {
    fs.rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function whyNotSame(
  stats: import("node:fs").Stats,
  [dev, ino, birth]: Identity,
  sameBoot: boolean,
): string | undefined {
  // The numbers of devices are given out anew when the system starts.
  const isSame = stats.ino === ino && (stats.dev === dev || (!sameBoot && birth > 0)) && stats.birthtimeMs === birth;
  return isSame ? undefined : "another file has taken its place";
}

function whyNotNew(stats: import("node:fs").Stats, registeredAt: number): string | undefined {
  const isNew = stats.birthtimeMs <= 0 || stats.birthtimeMs >= registeredAt - CLOCK_TICK;
  return isNew ? undefined : "it is older than the registration, and was moved here";
}
