// The result of a replay, recipe by recipe. Types only.

import type { Owner } from "../../platform/process-identity.ts";
import type { Recipe } from "../recipes/recipe.ts";

type WithoutEnvironment<R> = R extends unknown ? Omit<R, "env" | "given"> : never;

/** A recipe as it is shown: without the variables of its command. */
export type LoggedRecipe = WithoutEnvironment<Recipe>;

/** The result of one recipe, or of a journal as a whole. */
export interface Replayed {
  /** The time of this entry, in ISO 8601. */
  readonly at: string;
  /** The pid of the process that carried it out. */
  readonly by: number;
  /** The recipe's owner. */
  readonly owner?: Pick<Owner, "pid"> & { readonly program: string; readonly since: string };
  /** The recipe; `undefined` where the journal itself is meant. */
  readonly recipe?: LoggedRecipe;
  /** The name of the recipe, for people. */
  readonly title: string;
  /**
   * `done`; `gone`: there was nothing left to do; `left alone`: something else
   * is in its place; `failed`: it is tried again at the next start, three times
   * in all; `given up`: it has failed for the third time; `refused`: no process
   * may carry it out; `pending`: it would be carried out.
   */
  readonly outcome: "done" | "gone" | "left alone" | "failed" | "given up" | "refused" | "pending";
  /** The reason, where there is one. */
  readonly why?: string;
  /** How long it took, in milliseconds. */
  readonly took?: number;
}
