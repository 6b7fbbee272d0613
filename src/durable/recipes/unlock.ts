// unlock: the lock of an owner, if it still holds it, and its owner file.

import { builtin } from "../../builtin.js";
import { parseToken } from "../names.js";
import type { RecipeKind } from "./recipe.js";
import unlock from "./unlocking.js" with { type: "late" };

export interface UnlockRecipe {
  readonly do: "unlock";
  /** The lock file. Absolute. */
  readonly path: string;
  /** Whose lock it is. */
  readonly token: string;
}

export const unlockRecipe: RecipeKind<UnlockRecipe> = {
  matches: ({ path, token }) =>
    typeof path === "string" &&
    builtin("path").isAbsolute(path) &&
    !path.includes("\0") &&
    typeof token === "string" &&
    parseToken(token) !== undefined,

  title: ({ path }) => `unlock ${path}`,

  carryOut: unlock,
};
