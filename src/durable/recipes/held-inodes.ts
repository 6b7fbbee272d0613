// Files that are held open as long as their removal is pending, where the file
// system keeps no times of birth: the number of a file that is gone is given to the
// next one, which would be taken for it.

import { builtin } from "../../platform/node-builtins.ts";
import { OwnDescriptor } from "../../platform/own-descriptor.ts";
import { system } from "../../platform/this-system.ts";
import type { Recipe } from "./recipe.ts";

/** How many are held at most: descriptors are the program's own. */
const MOST = 100;

const fs = builtin("fs");
const { O_NOFOLLOW = 0 } = fs.constants;

export class HeldInodes {
  readonly #descriptors = new Map<object, OwnDescriptor>();

  /** Holds the file of a recipe, until that is over. A descriptor that only names it keeps no device or pipe busy. */
  hold(key: object, recipe: Recipe): void {
    if (system.O_PATH === 0 || recipe.do !== "remove" || recipe.made === true) return;
    const { path, is } = recipe;
    if (typeof is === "number" || is[2] > 0 || this.#descriptors.size >= MOST) return;
    try {
      this.#descriptors.set(key, new OwnDescriptor(fs.openSync(path, system.O_PATH | O_NOFOLLOW)));
    } catch {
      // It is gone, or there are no descriptors: then its number alone tells.
    }
  }

  release(key: object): void {
    this.#descriptors.get(key)?.close();
    this.#descriptors.delete(key);
  }
}
