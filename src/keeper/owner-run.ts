// Carries out what one dead owner has left, from the last recipe to the first. A
// failure does not stop the rest; it is tried again after a pause that grows.

import type { DueRecipe, Settled, Step } from "../lease/recipe-store.ts";

/** What has come of one attempt. */
export type Attempted =
  | { readonly outcome: "done" }
  /** The action has failed, and may be tried again. */
  | { readonly outcome: "failed"; readonly error: string }
  /** It is not to be carried out, now or later. */
  | { readonly outcome: "refused"; readonly error: string };

export interface OwnerRun {
  /** Asks the engine. Repeats what was not answered; "lost" where the claim is, or this keeper's own time is over. */
  step(settled: Settled | undefined, passOver: readonly number[]): Promise<Step>;
  attempt(recipe: DueRecipe): Promise<Attempted>;
  /** Called with each attempt, and whether it was the last one. */
  told(recipe: DueRecipe, attempted: Attempted, isLast: boolean): void;
  /** Waits so many milliseconds; `false` where nothing more is to be tried. */
  pause(ms: number): Promise<boolean>;
  now(): number;
  readonly tries: number;
}

/** Milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 3_600_000;

/** Resolves with whether nothing is left: else nothing more is to be tried, or the claim is lost. */
export async function runOwner(run: OwnerRun): Promise<boolean> {
  /** When each that has failed is due again, on this process's own clock. */
  const due = new Map<number, number>();
  let settled: Settled | undefined;
  for (;;) {
    const now = run.now();
    const later = [...due].filter(([, at]) => at > now);
    const next = await run.step(
      settled,
      later.map(([seq]) => seq),
    );
    settled = undefined;
    if (next === "over" || next === "lost") return next === "over";
    if (next === "wait") {
      const first = Math.min(...later.map(([, at]) => at));
      if (!(await run.pause(Math.max(0, first - run.now())))) return false;
      continue;
    }
    const attempted = await run.attempt(next);
    const { seq } = next;
    const tries = next.tries + 1;
    due.delete(seq);
    if (attempted.outcome === "done") settled = { seq, outcome: "done" };
    else {
      const isLast = attempted.outcome === "refused" || tries >= run.tries;
      settled = { seq, outcome: isLast ? "dead letter" : "failed", error: attempted.error };
      if (!isLast) due.set(seq, run.now() + Math.min(FIRST_PAUSE * 2 ** next.tries, LONGEST_PAUSE));
    }
    run.told(next, attempted, settled.outcome !== "failed");
  }
}
