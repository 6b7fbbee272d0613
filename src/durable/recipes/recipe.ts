// The recipes: cleanups as plain data, so that another process can carry them
// out. This is the table of all kinds.

import { callRecipe, type CallRecipe } from "./call.ts";
import { execRecipe, type ExecRecipe } from "./exec.ts";
import { killRecipe } from "./kill.ts";
import { removeRecipe, type RemoveRecipe } from "./remove.ts";
import type { KillRecipe, RecipeKind, ReplayContext, Success, UnlockRecipe } from "./recipe-kind.ts";
import { unlockRecipe } from "./unlock.ts";

export type Recipe = RemoveRecipe | KillRecipe | ExecRecipe | CallRecipe | UnlockRecipe;

const kinds: { readonly [K in Recipe["do"]]: RecipeKind<Extract<Recipe, { do: K }>> } = {
  remove: removeRecipe,
  kill: killRecipe,
  exec: execRecipe,
  call: callRecipe,
  unlock: unlockRecipe,
};

/** Reports whether parsed JSON is a recipe that this version knows. */
export function isRecipe(line: Readonly<Record<string, unknown>>): boolean {
  const kind = line["do"];
  return typeof kind === "string" && Object.hasOwn(kinds, kind) && kinds[kind as Recipe["do"]].matches(line);
}

export function jsonOf(recipe: Recipe): string {
  return kindOf(recipe).json?.(recipe) ?? JSON.stringify(recipe);
}

export function titleOf(recipe: Recipe): string {
  return kindOf(recipe).title(recipe);
}

export function carryOut(recipe: Recipe, context: ReplayContext): Success | Promise<Success> {
  return kindOf(recipe).carryOut(recipe, context);
}

function kindOf(recipe: Recipe): RecipeKind<Recipe> {
  return kinds[recipe.do];
}
