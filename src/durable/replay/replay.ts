// Carries out the recipes left in a dead owner's journal, last in, first out.

import { builtin, now, timeOfDay } from "../../platform/node-builtins.ts";
import { ReplayTrace, type ReplayedBy } from "./replay-trace.ts";
import type { Claim } from "./claim.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import type { LivingOwners } from "./living-owners.ts";
import { type Helper, helperIn } from "../helper/helper.ts";
import { appendToLog } from "./replay-log.ts";
import { whyReplaceable } from "../../platform/trusted-path.ts";
import { hasSameView, isSameBoot, thisProcess } from "../../platform/process-identity.ts";
import { system } from "../../platform/this-system.ts";
import { sleep } from "../../platform/wait.ts";
import { durableId } from "../journal/file-name.ts";
import type { Pending } from "../journal/reader.ts";
import type { ReplayContext } from "../recipes/recipe-kind.ts";
import { carryOut, type Recipe, titleOf } from "../recipes/recipe.ts";
import { publishReplay } from "./replay-channel.ts";
import type { LoggedRecipe, Replayed } from "./replayed.ts";
import { process } from "../../platform/process.ts";

/** How often a recipe is begun that fails, or that ends the process which carries it out. */
const TRIES = 3;

/**
 * How long after a claim it is waited for, in milliseconds, that a live owner who has
 * registered the same withdraws it: one that finds the claim does, and waits in turn.
 */
const WITHDRAWN_WITHIN = 250;
const LOOK_EVERY = 5;

/** By how much two readings of one clock may differ, in milliseconds. */
const CLOCK_WAS_SET = 1_000;

/** The outcome of a recipe, as it is logged; `elsewhere` is told once, and stays in the journal. */
interface Attempt {
  readonly entry: Replayed;
  readonly isElsewhere: boolean;
}

/**
 * Carries out all that is pending in a claimed journal.
 *
 * @param by who does, as the trace has it
 */
export async function replay(
  directory: JournalDirectory,
  claimed: Claim,
  living: LivingOwners,
  by: ReplayedBy,
): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  const trace = ReplayTrace.of(claimed, by);
  const tell = (entry: Replayed) => {
    replayed.push(entry);
    appendToLog(directory.path, entry);
  };
  for (const problem of claimed.problems) tell(entryOf(claimed, { outcome: "refused", why: problem }));
  const context = contextFor(directory, claimed, living, by);
  const { journal } = claimed.name;
  let failed = 0;
  let elsewhere = 0;
  for (const pending of [...claimed.pending].reverse()) {
    trace?.begin(pending);
    const title = titleOf(pending.recipe);
    let isElsewhere = false;
    const entry = await publishReplay(title, durableId(journal, pending.id), async () => {
      const result = await attempt(claimed, pending, context, living);
      ({ isElsewhere } = result);
      return result.entry;
    });
    trace?.end(pending, entry);
    if (isElsewhere) {
      elsewhere += 1;
      if (claimed.name.kind !== "left") tell(entry);
      continue;
    }
    tell(entry);
    if (entry.outcome === "failed") failed += 1;
    else claimed.write({ done: pending.id, outcome: entry.outcome });
  }
  trace?.close();
  if (failed > 0) claimed.release();
  else if (elsewhere > 0) claimed.leave();
  else claimed.remove();
  return replayed;
}

async function attempt(
  claimed: Claim,
  pending: Pending,
  context: ReplayContext,
  living: LivingOwners,
): Promise<Attempt> {
  const { id, recipe, tries } = pending;
  const startedAt = now();
  const result = (outcome: Replayed["outcome"], why?: string): Attempt => {
    const took = Math.round(now() - startedAt);
    const entry = entryOf(claimed, { recipe, outcome, took, ...(why === undefined ? {} : { why }) });
    return { entry, isElsewhere: false };
  };
  if (tries >= TRIES) return result("given up", `begun ${tries} times, and never ended`);
  const who = await whoHas(living, claimed, recipe);
  if (who !== undefined) return result("left alone", who);
  // What is not here is not begun: it would be given up after some looks.
  const isBegun = context.sameView;
  if (isBegun) claimed.write({ try: id });
  try {
    const success = await carryOut(recipe, context);
    if (success !== "elsewhere") return result(success);
    const why = "it is for those who share its owner's view of the system";
    return { ...result("left alone", why), isElsewhere: true };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isElse = code === "ERR_ATEXIT_REPLACED" || code === "ERR_ATEXIT_PROTECTED_PATH";
    return result(isElse ? "left alone" : tries + 1 < TRIES ? "failed" : "given up", message);
  }
}

/** Returns who has registered the same and keeps to it, as a sentence. */
async function whoHas(living: LivingOwners, { header, seenAt }: Claim, recipe: Recipe): Promise<string | undefined> {
  for (;;) {
    const who = living.whoHas(recipe, header.owner);
    if (who === undefined || now() - seenAt > WITHDRAWN_WITHIN) return who;
    await sleep(LOOK_EVERY);
  }
}

function isTrusted(path: string): boolean {
  try {
    return whyReplaceable(path) === undefined;
  } catch {
    return false; // it is gone
  }
}

/** Returns a helper in the executable of an owner, as long as that is there. */
function helperLike(runtime: readonly string[], helper: Helper | undefined): Helper | undefined {
  const [file] = runtime;
  return helper !== undefined && file !== undefined && isTrusted(file) ? { ...helper, runtime } : helper;
}

function contextFor(directory: JournalDirectory, claimed: Claim, living: LivingOwners, by: ReplayedBy): ReplayContext {
  const { owner, runtime } = claimed.header;
  const me = thisProcess();
  const sameBoot = isSameBoot(owner.boot, me.boot);
  // A guard is its owner's child, and shares its namespaces, whatever has been mounted since.
  const sameView = by === "guard" || hasSameView(owner);
  return {
    isOwner: false,
    sameBoot,
    sameView,
    sameDevices: sameBoot && sameView,
    samePids: sameBoot && owner.pidns === me.pidns,
    bornUntil: bornUntil(claimed, sameBoot),
    living,
    isGuard: by === "guard",
    get helper() {
      return helperLike(runtime, helperIn(directory));
    },
  };
}

/**
 * Returns the time until which what a dead owner has made was born, or `undefined`
 * where the clock was set since its journal was begun. What was there before the
 * system's present start is older than anything that lives.
 */
function bornUntil({ header, died: { at }, claimedAt, path }: Claim, sameBoot: boolean): number | undefined {
  if (at === null) return undefined;
  const startedAt = claimedAt - system.uptime() * 1_000;
  if (!sameBoot) return Math.min(at, startedAt);
  const begunAt = builtin("fs").lstatSync(path).birthtimeMs;
  if (begunAt <= 0) return undefined;
  const startedAtThen = begunAt - header.uptime * 1_000;
  return Math.abs(startedAt - startedAtThen) < CLOCK_WAS_SET ? at : undefined;
}

/** Returns an entry of the log about a claimed journal, or about a recipe in it. */
export function entryOf(
  { header: { owner, program, since } }: Pick<Claim, "header">,
  about: Pick<Replayed, "outcome"> & Partial<Replayed>,
): Replayed {
  const title = about.recipe === undefined ? "a line of its journal" : titleOf(about.recipe as Recipe);
  return {
    at: new Date(timeOfDay()).toISOString(),
    by: process.pid,
    owner: { pid: owner.pid, program, since },
    title,
    ...about,
    ...(about.recipe === undefined ? {} : { recipe: withoutEnvironment(about.recipe) }),
  };
}

/** Returns a recipe without the variables of its command, which may hold passwords. */
export function withoutEnvironment(recipe: LoggedRecipe): LoggedRecipe {
  if (!("env" in recipe)) return recipe;
  const { env: _, given: __, others: ___, ...logged } = recipe as LoggedRecipe & Record<string, unknown>;
  return logged;
}
