// What a guard does with the recipes of its owner, which the kernel has told it is
// dead: carries them out in its own process, as a keeper of this one owner. What it
// does not know, what fails and what it has no time for is a keeper's.

import type { Adapter } from "../lease/adapter.ts";
import type { RecipeStore } from "../lease/recipe-store.ts";
import { now } from "../platform/node-builtins.ts";
import { actionsOf, type KnownActions } from "./actions.ts";
import { attempt } from "./attempt.ts";
import { runOwner } from "./owner-run.ts";

/** A called function has ten seconds, in milliseconds: after these nothing more is begun. */
const WITHIN = 7_000;
/** How long one request may take, in milliseconds. */
const LIMIT = 2_000;
const TRIES = 8;

/**
 * @param owner the number of the dead one, which the engine knows to be dead
 * @param adapter of an owner that has not begun
 * @param modules where the actions are
 */
export async function carryOutAfter(owner: string, adapter: Adapter, modules: readonly string[]): Promise<void> {
  const recipes = adapter.recipes as RecipeStore;
  const known = await Promise.all(
    modules.map(async (module) => actionsOf((await import(module)) as Record<string, unknown>, module)),
  );
  const end = now() + WITHIN;
  await adapter.begin(LIMIT);
  try {
    const claim = await recipes.claim({ owner }, LIMIT);
    if (claim === undefined) return; // a keeper was first, or nothing is left
    await runOwner({
      tries: TRIES,
      now,
      async step(settled, passOver) {
        const step = await recipes.step(claim, settled, passOver, LIMIT);
        if (typeof step !== "object") return step;
        // Last in, first out: what this process does not know holds up all that was planted before.
        return now() < end && knowing(known, step.action) !== undefined ? step : "lost";
      },
      attempt: (recipe) => attempt(knowing(known, recipe.action) as KnownActions, { ...recipe, owner }),
      told: () => {},
      pause: () => Promise.resolve(false),
    });
  } finally {
    await adapter.finish(LIMIT);
  }
}

function knowing(known: readonly KnownActions[], action: string): KnownActions | undefined {
  return known.find(({ functions }) => functions.has(action));
}
