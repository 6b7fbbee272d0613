// What one thread has of this part: its settings, and its journal and guard
// while recipes are pending. It stands on the face of the package: a recipe is
// registered as a function that carries it out.

import { builtin, clearTimeout, setImmediate, setTimeout } from "../builtin.js";
import type { CleanupOptions, Registration } from "../index.js";
import type { AnyFunction } from "../stack.js";
import { type Core, theThread } from "./core.js";
import { journalDirectory } from "./directory.js";
import startGuard, { type Guard } from "./guard.js" with { type: "late" };
import { Journal, recipeIn, VERSION } from "./journal.js";
import { durableId, newJournalName } from "./names.js";
import { thisOwner } from "./owner.js";
import { carryOut, type Circumstances, type Recipe, titleOf } from "./recipes/recipe.js";
import recoverIn from "./recovery.js" with { type: "late" };
import { traceFile } from "../trace/place.js";
import { checkSettings, defaultSettings, type DurableSettings, environmentSettings } from "./settings.js";

/** A guard stays so long when nothing is pending, in milliseconds: the next recipe often comes soon. */
const LINGER = 1_000;

const HERE: Circumstances = { isOwner: true, sameBoot: true, samePids: true, node: process.execPath };

export class Durable {
  readonly #settings: DurableSettings = { ...defaultSettings(), ...environmentSettings(process.env) };
  readonly #thread: Core = theThread();
  #journal: Journal | undefined;
  #guard: Guard | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #recovered = false;

  /** @throws an error with the code `ERR_ATEXIT_DIRECTORY` */
  get directory(): string {
    return journalDirectory(this.#settings.journalDir);
  }

  configure(given: unknown): DurableSettings {
    Object.assign(this.#settings, checkSettings(given), environmentSettings(process.env));
    return { ...this.#settings };
  }

  /** Writes a recipe down, and registers what carries it out in this process. */
  add<R>(callee: AnyFunction, recipe: Recipe, guardLater = false): Registration<R> {
    const journal = this.#open();
    const pending = new Pending(this, journal, journal.add(recipe));
    if (guardLater) setImmediate(() => journal.pending > 0 && this.#guardIt(journal));
    else this.#guardIt(journal);
    return this.#thread.add(callee, carryOutHere, [pending], pending) as unknown as Registration<R>;
  }

  #open(): Journal {
    clearTimeout(this.#lingering);
    if (this.#journal !== undefined) {
      if (this.#lingering !== undefined) process.off("exit", this.#close);
      this.#lingering = undefined;
      return this.#journal;
    }
    const { directory } = this;
    const owner = thisOwner();
    const header = {
      atexit: VERSION,
      owner,
      program: [process.execPath, ...process.argv.slice(1)].join(" ").slice(0, 1_000),
      since: new Date().toISOString(),
      node: process.execPath,
      ...tracedTo(process.env),
    } as const;
    this.#journal = new Journal(builtin("path").join(directory, newJournalName()), header, this.#settings.fsync);
    return this.#journal;
  }

  #guardIt(journal: Journal): void {
    if (this.#settings.guard) {
      if (this.#guard === undefined) this.#guard = startGuard(journal, () => journal.pending > 0);
      else this.#guard.ensure();
    } else if (!this.#recovered) {
      // The guard would look for what dead processes have left.
      const { directory } = this;
      setImmediate(() => void recoverIn(directory).catch(() => {})).unref();
    }
    this.#recovered = true;
  }

  /** A recipe is over: carried out, or cancelled. */
  done(journal: Journal, id: number): void {
    journal.done(id);
    if (journal.pending > 0) return;
    if (this.#thread.exiting.aborted) {
      this.#close();
      return;
    }
    this.#lingering = setTimeout(this.#close, LINGER).unref();
    process.once("exit", this.#close);
  }

  /** Nothing of this part is left: no journal, no guard, no listener. */
  readonly #close = (): void => {
    clearTimeout(this.#lingering);
    process.off("exit", this.#close);
    this.#lingering = undefined;
    this.#journal?.close();
    this.#guard?.end();
    this.#journal = undefined;
    this.#guard = undefined;
  };
}

/** A recipe that is registered, as small as can be: there may be a million. */
class Pending implements CleanupOptions {
  readonly keeper: Durable;
  readonly journal: Journal;
  readonly id: number;
  /** The journal's own, kept for a report of what went wrong with it. */
  readonly line: string;

  constructor(keeper: Durable, journal: Journal, id: number) {
    this.keeper = keeper;
    this.journal = journal;
    this.id = id;
    this.line = journal.line(id);
  }

  get recipe(): Recipe {
    return recipeIn(this.line);
  }

  /** By this the trace of a shutdown knows it again when another process carries it out. */
  get durable(): string {
    return durableId(builtin("path").basename(this.journal.path), this.id);
  }

  get name(): string {
    return titleOf(this.recipe);
  }

  onCancel(): void {
    this.keeper.done(this.journal, this.id);
  }
}

/** Where the story of this process is written, for whoever carries on with it. */
function tracedTo({ ATEXIT_TRACE }: NodeJS.ProcessEnv): { trace?: string } {
  return ATEXIT_TRACE ? { trace: traceFile(ATEXIT_TRACE) } : {};
}

function carryOutHere(pending: Pending): void | Promise<void> {
  return settled(
    () => carryOut(pending.recipe, HERE),
    () => pending.keeper.done(pending.journal, pending.id),
  );
}

/** Calls `body`, and then `after`, at the end of its promise where it returns one, also when it fails. */
function settled<T>(body: () => T | Promise<T>, after: () => void): void | Promise<void> {
  let result: T | Promise<T>;
  try {
    result = body();
  } catch (error) {
    after();
    throw error;
  }
  if (!(result instanceof Promise)) return after();
  return result.then(
    () => after(),
    (error) => {
      after();
      throw error;
    },
  );
}
