// Carries out the recipes left in a dead owner's journal, last in, first out.

import { builtin } from "../../platform/node-builtins.ts";
import { ReplayTrace, type ReplayedBy } from "./replay-trace.ts";
import type { Claim } from "./claim.ts";
import { appendToLog } from "./replay-log.ts";
import { thisProcess } from "../../platform/process-identity.ts";
import { durableId, journalOf } from "../journal/file-name.ts";
import type { Pending } from "../journal/reader.ts";
import type { ReplayContext } from "../recipes/recipe-kind.ts";
import { carryOut, titleOf } from "../recipes/recipe.ts";
import { publishReplay } from "./replay-channel.ts";
import type { Replayed } from "./replayed.ts";

/** How often a recipe is begun that fails, or that ends the process which carries it out. */
const TRIES = 3;

/**
 * Carries out all that is pending in a claimed journal.
 *
 * @param by who does, as the trace has it
 */
export async function replay(directory: string, claimed: Claim, by: ReplayedBy): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  const trace = ReplayTrace.of(claimed, by);
  const tell = (entry: Replayed) => {
    replayed.push(entry);
    appendToLog(directory, entry);
  };
  for (const problem of claimed.problems) tell(entryOf(claimed, { outcome: "refused", why: problem }));
  const context = contextFor(claimed);
  const journal = journalOf(claimed.path);
  let isOver = true;
  for (const pending of [...claimed.pending].reverse()) {
    trace?.begin(pending);
    const title = titleOf(pending.recipe);
    const entry = await publishReplay(title, durableId(journal, pending.id), () => attempt(claimed, pending, context));
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

async function attempt(claimed: Claim, pending: Pending, context: ReplayContext): Promise<Replayed> {
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
    return result(await carryOut(recipe, context));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isElse = code === "ERR_ATEXIT_REPLACED" || code === "ERR_ATEXIT_PROTECTED_PATH";
    return result(isElse ? "left alone" : tries + 1 < TRIES ? "failed" : "given up", message);
  }
}

function contextFor({ header: { owner, node } }: Claim): ReplayContext {
  const me = thisProcess();
  return {
    isOwner: false,
    sameBoot: owner.boot === me.boot,
    samePids: owner.boot === me.boot && owner.pidns === me.pidns,
    node: builtin("fs").existsSync(node) ? node : process.execPath,
  };
}

/** Returns an entry of the log about a claimed journal, or about a recipe in it. */
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
