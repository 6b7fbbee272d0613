// Follows a child whose end is registered to its own end.

import type { ChildProcess } from "node:child_process";
import { system } from "../../platform/this-system.ts";
import { hasEnded } from "./kill.ts";
import { noteMembers } from "./kill-tree.ts";
import type { KillRecipe } from "./recipe-kind.ts";

/** The registration of a child's end. */
export interface FollowedKill {
  /** Takes the place of the recipe, in this process and in the journal. It must not throw. */
  update(recipe: KillRecipe): void;
  /** Forgets the recipe. */
  cancel(): unknown;
}

/**
 * Notes what is left of a child's tree when the child has ended, since its pid may be
 * a stranger's from then on; where nothing is, the recipe is over.
 */
export function followChild(child: ChildProcess, recipe: KillRecipe, registered: FollowedKill): void {
  const ended = () => {
    // Where a look takes a second, what a child leaves goes on.
    if (!system.hasSignals) {
      registered.cancel();
      return;
    }
    const noted = whatIsLeft(recipe);
    if (noted?.members.length === 0) registered.cancel();
    else if (noted !== undefined) registered.update(noted);
  };
  if (hasEnded(child)) ended();
  else child.once("exit", ended);
}

/** Returns `undefined` where nobody can tell: no descriptor is left for a look. */
function whatIsLeft(recipe: KillRecipe): ReturnType<typeof noteMembers> | undefined {
  try {
    return noteMembers(recipe);
  } catch {
    return undefined;
  }
}
