// Files that are held open as long as their removal is pending, where the file
// system keeps no times of birth: the number of a file that is gone is given to the
// next one, which would be taken for it.

import { inodeOf } from "../../platform/file-identity.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { system } from "../../platform/this-system.ts";
import type { Recipe } from "./recipe.ts";

/** How many are held at most: descriptors are the program's own. */
const MOST = 100;

const fs = builtin("fs");
const { O_NOFOLLOW = 0 } = fs.constants;

export class HeldInodes {
  readonly #descriptors = new Map<object, { readonly fd: number; readonly inode: string }>();

  /** Holds the file of a recipe, until that is over. A descriptor that only names it keeps no device or pipe busy. */
  hold(key: object, recipe: Recipe): void {
    if (system.O_PATH === 0 || recipe.do !== "remove" || recipe.made === true) return;
    const { path, is } = recipe;
    if (typeof is === "number" || is[2] > 0 || this.#descriptors.size >= MOST) return;
    try {
      const fd = fs.openSync(path, system.O_PATH | O_NOFOLLOW);
      this.#descriptors.set(key, { fd, inode: inodeOf(fs.fstatSync(fd)) });
    } catch {
      // It is gone, or there are no descriptors: then its number alone tells.
    }
  }

  release(key: object): void {
    const held = this.#descriptors.get(key);
    if (held === undefined) return;
    this.#descriptors.delete(key);
    try {
      // A program may have closed it, and opened its own.
      if (inodeOf(fs.fstatSync(held.fd)) === held.inode) fs.closeSync(held.fd);
    } catch {
      // It was closed.
    }
  }
}
