// A recipe: a cleanup as plain data, so that another process can carry it out.
// Each kind says how its data looks, what it is called, and what it does.

import { callRecipe, type CallRecipe } from "./call.js";
import { execRecipe, type ExecRecipe } from "./exec.js";
import { killRecipe, type KillRecipe } from "./kill.js";
import { removeRecipe, type RemoveRecipe } from "./remove.js";
import { unlockRecipe, type UnlockRecipe } from "./unlock.js";

export type Recipe = RemoveRecipe | KillRecipe | ExecRecipe | CallRecipe | UnlockRecipe;

/** What its own process is to the one that carries a recipe out. */
export interface Circumstances {
  /** Its own thread carries it out, which is alive. */
  readonly isOwner: boolean;
  /** Not since the recipe was written has the system started anew. */
  readonly sameBoot: boolean;
  /** A pid in the recipe means the same here. */
  readonly samePids: boolean;
  /** The executable for a `call`: the owner's, as long as it is there. */
  readonly node: string;
}

/** "gone": what the recipe is about was not there any more. */
export type Success = "done" | "gone";

/** One kind of recipe. */
export interface RecipeKind<R extends { readonly do: string }> {
  /** Whether parsed JSON is a recipe of this kind, whole and sound. */
  matches(line: Readonly<Record<string, unknown>>): boolean;
  /** Its JSON, where that can be had in less time than from `JSON.stringify`. */
  json?(recipe: R): string;
  /** What reports call it. */
  title(recipe: R): string;
  /**
   * Carries it out, and only on what was registered.
   *
   * @throws (or rejects with) an error with the code `ERR_ATEXIT_REPLACED` where
   *   that is not there any more and something else is
   */
  carryOut(recipe: R, circumstances: Circumstances): Success | Promise<Success>;
}

const kinds: { readonly [K in Recipe["do"]]: RecipeKind<Extract<Recipe, { do: K }>> } = {
  remove: removeRecipe,
  kill: killRecipe,
  exec: execRecipe,
  call: callRecipe,
  unlock: unlockRecipe,
};

/** Whether parsed JSON is a recipe that this version knows. */
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

export function carryOut(recipe: Recipe, circumstances: Circumstances): Success | Promise<Success> {
  return kindOf(recipe).carryOut(recipe, circumstances);
}

function kindOf(recipe: Recipe): RecipeKind<Recipe> {
  return kinds[recipe.do] as RecipeKind<Recipe>;
}
