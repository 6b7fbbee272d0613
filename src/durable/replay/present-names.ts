// What a recipe is about, by the directories that are there now: two paths lead to
// one file through a link, or through a directory that was made after one of them
// was registered.

import { inodeOf } from "../../platform/file-identity.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { hasSameView, type Owner } from "../../platform/process-identity.ts";
import { namesOf, type Recipe } from "../recipes/recipe.ts";

const fs = builtin("fs");

/** A directory that a path leads through, by its path, and as `device:inode` where it is there. */
interface Above {
  readonly path: string;
  readonly inode: string | undefined;
}

/** Lists the directories that a path leads through, the nearest first. */
export function* directoriesAbove(path: string): Generator<Above> {
  const { dirname } = builtin("path");
  for (let at = dirname(path); ; at = dirname(at)) {
    const stats = fs.statSync(at, { throwIfNoEntry: false });
    yield { path: at, inode: stats && inodeOf(stats) };
    if (at === dirname(at)) return;
  }
}

/**
 * Returns the names of a recipe as it is registered, and those that its path has in
 * each directory that it leads through now.
 */
export function presentNamesOf(recipe: Recipe, owner: Owner): string[] {
  const names = namesOf(recipe, owner);
  if (recipe.do !== "remove" || !hasSameView(owner)) return names;
  const { path } = recipe;
  for (const { path: above, inode } of directoriesAbove(path)) {
    if (inode !== undefined) names.push(`entry ${inode} ${path.slice(above.length).replace(/^[\\/]/, "")}`);
  }
  return names;
}
