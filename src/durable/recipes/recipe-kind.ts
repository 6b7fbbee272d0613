// What each kind of recipe has: how its data looks, what it is called, and what
// it does. Types only.

/** What the recipe's own process is to the one that carries it out. */
export interface ReplayContext {
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
  carryOut(recipe: R, context: ReplayContext): Success | Promise<Success>;
}

export interface KillRecipe {
  readonly do: "kill";
  readonly pid: number;
  readonly start: string;
  /** Whether it leads a process group, in which its descendants can be found without it. */
  readonly leads: boolean;
  /** What its descendants have in their environments, where it was given one. */
  readonly mark?: string;
  readonly signal: NodeJS.Signals;
  readonly grace: number;
}

export interface UnlockRecipe {
  readonly do: "unlock";
  /** The lock file. Absolute. */
  readonly path: string;
  /** Whose lock it is. */
  readonly token: string;
}
