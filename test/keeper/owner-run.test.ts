// The order, the tries and the pauses of one dead owner's recipes, with a virtual
// clock; and what a keeper has seen.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Attempted, runOwner } from "../../src/keeper/owner-run.ts";
import { Sightings } from "../../src/keeper/sightings.ts";
import type { DueRecipe, Settled, Step } from "../../src/lease/recipe-store.ts";

/** An engine with the recipes of one owner, and a keeper's clock. */
class World {
  readonly recipes: DueRecipe[];
  readonly log: string[] = [];
  now = 0;
  /** After so many steps the claim is lost. */
  lostAfter = Number.POSITIVE_INFINITY;
  readonly #attempt: (action: string, tries: number) => Attempted;

  constructor(actions: readonly string[], attempt: (action: string, tries: number) => Attempted) {
    this.recipes = actions.map((action, seq) => ({
      seq,
      action,
      args: "[]",
      signature: undefined,
      planter: undefined,
      tries: 0,
    }));
    this.#attempt = attempt;
  }

  run(): Promise<boolean> {
    return runOwner({
      tries: 8,
      now: () => this.now,
      step: (settled, passOver) => Promise.resolve(this.#step(settled, passOver)),
      attempt: ({ action, tries }) => {
        this.log.push(`${action} at ${this.now}`);
        return Promise.resolve(this.#attempt(action, tries));
      },
      told: ({ action }, _, isLast) => isLast && this.log.push(`${action} is settled`),
      pause: (ms) => {
        this.now += ms;
        return Promise.resolve(true);
      },
    });
  }

  #step(settled: Settled | undefined, passOver: readonly number[]): Step {
    this.lostAfter -= 1;
    if (this.lostAfter < 0) return "lost";
    const at = this.recipes.findIndex(({ seq }) => seq === settled?.seq);
    const [of] = at === -1 ? [] : this.recipes.splice(at, 1);
    if (of !== undefined && settled?.outcome === "failed") this.recipes.splice(at, 0, { ...of, tries: of.tries + 1 });
    if (this.recipes.length === 0) return "over";
    return this.recipes.findLast(({ seq }) => !passOver.includes(seq)) ?? "wait";
  }
}

const done: Attempted = { outcome: "done" };
const failed: Attempted = { outcome: "failed", error: "no" };

describe("one owner's recipes", () => {
  it("are carried out last in, first out, and one that fails again after the others, in its place", async () => {
    const world = new World(["a", "b", "c"], (action, tries) => (action === "b" && tries === 0 ? failed : done));
    assert.equal(await world.run(), true);
    assert.deepEqual(
      world.log.filter((line) => line.includes(" at ")),
      ["c at 0", "b at 0", "a at 0", "b at 1000"],
    );
  });

  it("that fail are tried again after 1, 2, 4 … seconds, and settled after the eighth time", async () => {
    const world = new World(["a"], () => failed);
    assert.equal(await world.run(), true);
    const times = world.log.filter((line) => line.includes(" at ")).map((line) => Number(line.split(" ").at(-1)));
    assert.deepEqual(
      times,
      [0, 1, 3, 7, 15, 31, 63, 127].map((seconds) => seconds * 1_000),
    );
    assert.equal(world.log.at(-1), "a is settled");
  });

  it("that are refused are not tried again", async () => {
    const world = new World(["a", "b"], (action) => (action === "b" ? { outcome: "refused", error: "no" } : done));
    assert.equal(await world.run(), true);
    assert.deepEqual(world.log, ["b at 0", "b is settled", "a at 0", "a is settled"]);
  });

  it("are left alone from the moment that the claim is lost", async () => {
    const world = new World(["a", "b", "c"], () => done);
    world.lostAfter = 2;
    assert.equal(await world.run(), false);
    assert.deepEqual(world.log, ["c at 0", "c is settled", "b at 0", "b is settled"]);
  });
});

describe("what a keeper has seen", () => {
  const suspect = { owner: "o", mark: "1", ttl: 10, who: {} };
  const stoodStill = (sightings: Sightings, mark: string, at: number) => {
    sightings.see([{ ...suspect, mark }], at);
    return sightings.stoodStill([{ ...suspect, mark }], at).length === 1;
  };

  it("counts when it has stood still for the whole ttl", () => {
    const sightings = new Sightings();
    assert.deepEqual(
      [0, 5, 9, 10].map((at) => stoodStill(sightings, "1", at)),
      [false, false, false, true],
    );
  });

  it("counts anew when it has moved, was out of sight, or a look has failed", () => {
    for (const what of [
      (sightings: Sightings) => void stoodStill(sightings, "2", 9),
      (sightings: Sightings) => sightings.see([], 9),
      (sightings: Sightings) => sightings.clear(),
    ]) {
      const sightings = new Sightings();
      stoodStill(sightings, "1", 0);
      what(sightings);
      assert.equal(stoodStill(sightings, "1", 10), false);
      assert.equal(stoodStill(sightings, "1", 20), true);
    }
  });
});
