// The recipes: cleanups as plain data, so that another process can carry them
// out. This is the table of all kinds.

import { callRecipe, type CallRecipe } from "./call.ts";
import { execRecipe, type ExecRecipe } from "./exec.ts";
import { killRecipe } from "./kill.ts";
import { removeRecipe, type RemoveRecipe } from "./remove.ts";
import type { KillRecipe, RecipeKind, ReplayContext, Success, UnlockRecipe } from "./recipe-kind.ts";
import type { FileIdentity } from "../../platform/file-identity.ts";
import type { Owner } from "../../platform/process-identity.ts";
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

/** Returns names for what a recipe is about: two recipes with one in common are about the same thing. */
export function namesOf(recipe: Recipe, owner: Pick<Owner, "view" | "pidns">): string[] {
  return kindOf(recipe).names(recipe, owner);
}

/** Returns the directories in which a recipe has something, or works. */
export function directoriesOf(recipe: Recipe): FileIdentity[] {
  return kindOf(recipe).directories(recipe);
}

/** Reports whether a recipe says which thing it is about, or need not. */
export function isIdentified(recipe: Recipe): boolean {
  return kindOf(recipe).isIdentified?.(recipe) ?? true;
}

/** Returns a recipe with an identity that could not be known at registration; `undefined` where there is none (yet). */
export function identified(recipe: Recipe): Recipe | undefined {
  return kindOf(recipe).identified?.(recipe);
}

export function carryOut(recipe: Recipe, context: ReplayContext): Success | Promise<Success> {
  return kindOf(recipe).carryOut(recipe, context);
}

function kindOf(recipe: Recipe): RecipeKind<Recipe> {
  return kinds[recipe.do];
}
