// What an engine keeps of cleanups that outlive their machine. Types only.

/** A cleanup as data: an action's name and its arguments, as JSON text. */
export interface PlantedRecipe {
  /** Its number among those of its owner: the owner counts. */
  readonly seq: number;
  readonly action: string;
  readonly args: string;
  readonly signature: string | undefined;
}

/** An owner that may be dead, or whose keeper may be. */
export interface Suspect {
  /** The owner's number: a UUID. */
  readonly owner: string;
  /** Changes with each heartbeat of whoever has to be silent. */
  readonly mark: string;
  /** How long that mark has to be seen to stand still, in milliseconds; 0 where the engine knows that nobody lives. */
  readonly ttl: number;
  readonly who: unknown;
}

/** Whom to claim: a suspect with the mark that stood still; without one, an owner that the engine knows to be dead. */
export interface Claimable {
  readonly owner: string;
  readonly mark?: string;
}

/** An owner in a keeper's hands; the number tells this claim from earlier and later ones. */
export interface Claim {
  readonly owner: string;
  readonly claim: string;
}

/** A recipe in a keeper's hands. */
export interface DueRecipe extends PlantedRecipe {
  /** The user who has planted it, by the engine's word; `undefined` where the engine has none. */
  readonly planter: string | undefined;
  /** How often it has failed. */
  readonly tries: number;
}

/** What has become of a recipe. "failed": it is tried again; "dead letter": it is not. */
export interface Settled {
  readonly seq: number;
  readonly outcome: "done" | "failed" | "dead letter";
  readonly error?: string | undefined;
}

/** The next recipe; or "wait", where all that are left are passed over; "over", where none are left; "lost", the claim is. */
export type Step = DueRecipe | "wait" | "over" | "lost";

/** The recipes of an owner, and those that it carries out for others. Limits are milliseconds, as for an adapter. */
export interface RecipeStore {
  plant(recipe: PlantedRecipe, limit: number): Promise<"planted" | "dead" | "full">;
  /**
   * Forgets a recipe of its own.
   *
   * @param isConfirmed whether its planting was answered; else that may still be under way
   */
  settle(seq: number, isConfirmed: boolean, limit: number): Promise<void>;
  /** @param isAll whether those are wanted as well whom the engine has heard of: they may have died just now */
  suspects(isAll: boolean, limit: number): Promise<Suspect[]>;
  /** Declares the suspect dead, and takes its recipes. @returns `undefined` where its mark has changed, or another keeper was first */
  claim(suspect: Claimable, limit: number): Promise<Claim | undefined>;
  /** Settles a recipe, and gives the one that was planted last of those that are not passed over. */
  step(claim: Claim, settled: Settled | undefined, passOver: readonly number[], limit: number): Promise<Step>;
}
