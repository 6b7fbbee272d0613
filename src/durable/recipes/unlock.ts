// unlock: removes the lock of an owner, if the owner still holds it, and its
// owner file.

import { builtin } from "../../platform/node-builtins.ts";
import { isFileIdentity } from "../../platform/file-identity.ts";
import { parseToken } from "../journal/file-name.ts";
import type { UnlockRecipe, RecipeKind } from "./recipe-kind.ts";
import { releaseLock } from "./release-lock.ts";

export const unlockRecipe: RecipeKind<UnlockRecipe> = {
  matches: ({ path, in: directory, token }) =>
    typeof path === "string" &&
    builtin("path").isAbsolute(path) &&
    !path.includes("\0") &&
    isFileIdentity(directory) &&
    typeof token === "string" &&
    parseToken(token) !== undefined,

  title: ({ path }) => `unlock ${path}`,

  // Who takes a lock waits until its dead holder's recipes are over: the lock itself sees to that.
  names: () => [],

  directories: ({ in: parent }) => [parent],

  carryOut: releaseLock,
};
