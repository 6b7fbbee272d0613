// Carries out the recipes left in a dead owner's journal, last in, first out.

import { builtin } from "../builtin.js";
import { CarriedOn, type CarriedOnBy } from "../trace/carried-on.js";
import type { Claim } from "./claim.js";
import { appendToLog } from "./log.js";
import { type Owner, thisProcess } from "./owner.js";
import { durableId, journalOf } from "./names.js";
import type { Pending } from "./reader.js";
import { carryOut, type Circumstances, type Recipe, titleOf } from "./recipes/recipe.js";
import { told } from "./told.js";

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

/** How often a recipe is begun that fails, or that the process which carries it out does not survive. */
const TRIES = 3;

/**
 * Carries out all that is pending in a claimed journal.
 *
 * @param by who does, as the trace has it
 */
export async function replay(directory: string, claimed: Claim, by: CarriedOnBy): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  const trace = CarriedOn.of(claimed, by);
  const tell = (entry: Replayed) => {
    replayed.push(entry);
    appendToLog(directory, entry);
  };
  for (const problem of claimed.problems) tell(entryOf(claimed, { outcome: "refused", why: problem }));
  const circumstances = circumstancesOf(claimed);
  const journal = journalOf(claimed.path);
  let isOver = true;
  for (const pending of [...claimed.pending].reverse()) {
    trace?.begin(pending);
    const title = titleOf(pending.recipe);
    const entry = await told(title, durableId(journal, pending.id), () => attempt(claimed, pending, circumstances));
    trace?.end(pending, entry);
    tell(entry);
    if (entry.outcome === "failed") isOver = false;
    else claimed.write({ done: pending.id, outcome: entry.outcome });
  }
  trace?.close();
  if (isOver) claimed.remove();
  else claimed.release();
  return replayed;
}

async function attempt(claimed: Claim, pending: Pending, circumstances: Circumstances): Promise<Replayed> {
  const { id, recipe, tries } = pending;
  if (tries >= TRIES) {
    return entryOf(claimed, { recipe, outcome: "given up", why: `begun ${tries} times, and never ended` });
  }
  claimed.write({ try: id });
  const startedAt = performance.now();
  const result = (outcome: Replayed["outcome"], why?: string): Replayed => {
    const took = Math.round(performance.now() - startedAt);
    return entryOf(claimed, { recipe, outcome, took, ...(why === undefined ? {} : { why }) });
  };
  try {
    return result(await carryOut(recipe, circumstances));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isElse = code === "ERR_ATEXIT_REPLACED" || code === "ERR_ATEXIT_PRECIOUS";
    return result(isElse ? "left alone" : tries + 1 < TRIES ? "failed" : "given up", message);
  }
}

function circumstancesOf({ header: { owner, node } }: Claim): Circumstances {
  const me = thisProcess();
  return {
    isOwner: false,
    sameBoot: owner.boot === me.boot,
    samePids: owner.boot === me.boot && owner.pidns === me.pidns,
    node: builtin("fs").existsSync(node) ? node : process.execPath,
  };
}

/** A row of the log about a claimed journal, or about a recipe in it. */
export function entryOf(
  { header: { owner, program, since } }: Pick<Claim, "header">,
  about: Pick<Replayed, "outcome"> & Partial<Replayed>,
): Replayed {
  const title = about.recipe === undefined ? "a line of its journal" : titleOf(about.recipe);
  return {
    at: new Date().toISOString(),
    by: process.pid,
    owner: { pid: owner.pid, program, since },
    title,
    ...about,
  };
}
