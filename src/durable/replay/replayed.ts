// What a replay tells of its recipes. Types only.

import type { Owner } from "../../platform/process-identity.ts";
import type { Recipe } from "../recipes/recipe.ts";

/** What became of one recipe, or of a journal as a whole. */
export interface Replayed {
  /** When, in ISO 8601. */
  readonly at: string;
  /** Who did it. */
  readonly by: number;
  /** Whose recipe it was. */
  readonly owner?: Pick<Owner, "pid"> & { readonly program: string; readonly since: string };
  /** What was to be done; without one, the journal itself is meant. */
  readonly recipe?: Recipe;
  /** The same, for people. */
  readonly title: string;
  /**
   * `done`; `gone`: there was nothing left to do; `left alone`: something else
   * is in its place; `failed`: it is tried again at the next start, three times
   * in all; `given up`: it has failed for the third time; `refused`: nobody may
   * carry it out; `pending`: it would be carried out.
   */
  readonly outcome: "done" | "gone" | "left alone" | "failed" | "given up" | "refused" | "pending";
  /** Why, where that needs saying. */
  readonly why?: string;
  /** How long it took, in milliseconds. */
  readonly took?: number;
}
