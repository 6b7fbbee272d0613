// A journal that this thread writes, with what it has to know of others' journals.

import { timeOfDay } from "../platform/node-builtins.ts";
import { environment } from "../platform/process.ts";
import { programName } from "../platform/program-name.ts";
import { thisOwner } from "../platform/process-identity.ts";
import { system } from "../platform/this-system.ts";
import { runtime } from "../platform/runtime.ts";
import { traceFile } from "../trace/trace-path.ts";
import type { Guard } from "./guard/start.ts";
import type { JournalDirectory } from "./journal/directory.ts";
import { type JournalName, journalName, newToken } from "./journal/file-name.ts";
import { LifeFile } from "./journal/life-file.ts";
import { VERSION } from "./journal/format.ts";
import { Journal } from "./journal/writer.ts";
import type { Recipe } from "./recipes/recipe.ts";
import { EarlierOwners } from "./replay/earlier-owners.ts";
import { LivingOwners } from "./replay/living-owners.ts";

/** A journal that is open, and what was there before it. */
export interface OpenJournal {
  readonly directory: JournalDirectory;
  readonly journal: Journal;
  readonly earlier: EarlierOwners;
  /** What other processes have registered. */
  readonly living: LivingOwners;
  /** Why the first place has not taken it, where it is in another one. */
  readonly insteadOf: Error | undefined;
  guard?: Guard;
}

/**
 * Begins a journal in a directory.
 *
 * @param changes returns another number when this thread has registered something
 * @throws the system's error, or one of this package
 */
export function beginJournal(
  directory: JournalDirectory,
  fsync: boolean,
  changes: () => number,
): Omit<OpenJournal, "insteadOf"> {
  const header = {
    atexit: VERSION,
    owner: thisOwner(),
    program: programName(),
    since: new Date(timeOfDay()).toISOString(),
    isLocal: directory.isLocal,
    uptime: system.uptime(),
    runtime: runtime(),
    ...tracedTo(environment()),
  } as const;
  const token = newToken();
  const file = journalName(token);
  // It comes before the journal: at no moment is there one whose owner is not known to live.
  const life = new LifeFile(directory.prefix, token);
  let journal: Journal;
  try {
    journal = new Journal(directory.file(file), header, fsync, life);
  } catch (error) {
    life.release();
    throw error;
  }
  const isOther = (name: JournalName) => name.journal !== file;
  const sharable = () => journal.recipes().filter(isSharable);
  const own = () => [{ header, pending: sharable().map((recipe) => ({ recipe })) }];
  try {
    const earlier = new EarlierOwners(directory);
    return { directory, journal, earlier, living: new LivingOwners(directory, own, { isOther, changes }) };
  } catch (error) {
    journal.close(); // no descriptor is left to look around with
    throw error;
  }
}

/** Returns where the trace of this process is written, for the process that carries on with it. */
function tracedTo({ ATEXIT_TRACE }: NodeJS.ProcessEnv): { trace?: string } {
  return ATEXIT_TRACE ? { trace: traceFile(ATEXIT_TRACE) } : {};
}

/** Reports whether another program may mean the same: what this one makes itself has a name that nobody else knows. */
export function isSharable(recipe: Recipe): boolean {
  return recipe.do === "remove" && recipe.made !== true;
}
