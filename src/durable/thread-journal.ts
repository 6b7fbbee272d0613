// The state of this part in one thread: its settings, and its journal and guard
// while recipes are pending. It uses the public API of the package: a recipe is
// registered as a function that carries it out.

import { builtin, clearTimeout, setImmediate, setTimeout } from "../platform/node-builtins.ts";
import { type Registration, thread } from "../index.ts";
import type { DurableCleanupOptions } from "../registry/registration.ts";
import type { AnyFunction } from "../registry/stack.ts";
import { blameCaller } from "../errors/define-errors.ts";
import { journalDirectory } from "./journal/directory.ts";
import { type Guard, startGuard } from "./guard/start.ts";
import { VERSION } from "./journal/format.ts";
import { Journal, recipeIn } from "./journal/writer.ts";
import { durableId, newJournalName } from "./journal/file-name.ts";
import { thisOwner } from "../platform/process-identity.ts";
import type { ReplayContext, Success } from "./recipes/recipe-kind.ts";
import { carryOut, type Recipe, titleOf } from "./recipes/recipe.ts";
import { recoverIn } from "./replay/recover.ts";
import { traceFile } from "../trace/trace-path.ts";
import { checkSettings, defaultSettings, type DurableSettings, environmentSettings } from "./settings.ts";

/** How long a guard stays when nothing is pending, in milliseconds: the next recipe often comes soon. */
const LINGER = 1_000;

const HERE: ReplayContext = { isOwner: true, sameBoot: true, samePids: true, node: process.execPath };

export class ThreadJournal {
  readonly #settings: DurableSettings = { ...defaultSettings(), ...environmentSettings(process.env) };
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

  /**
   * Writes a recipe down, and registers a cleanup that carries it out in this process.
   *
   * @param callee the public function that the program has called
   * @param guardLater whether the guard may come in the next turn of the event loop: the recipe may be over then
   */
  add<R>(callee: AnyFunction, describe: () => Recipe, guardLater = false): Registration<R> {
    const pending = blameCaller(callee, () => {
      const recipe = describe();
      const journal = this.#open();
      return new Pending(this, journal, journal.add(recipe));
    });
    const { journal } = pending;
    if (guardLater) setImmediate(() => journal.pending > 0 && this.#guardIt(journal));
    else this.#guardIt(journal);
    return thread.add(callee, carryOutHere, [pending], pending) as unknown as Registration<R>;
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
      // The guard would look for the journals of dead processes.
      const { directory } = this;
      setImmediate(() => void recoverIn(directory).catch(() => {})).unref();
    }
    this.#recovered = true;
  }

  /** Writes down that a recipe is over: carried out, or cancelled. */
  done(journal: Journal, id: number): void {
    journal.done(id);
    if (journal.pending > 0) return;
    if (thread.exiting.aborted) {
      this.#close();
      return;
    }
    this.#lingering = setTimeout(this.#close, LINGER).unref();
    process.once("exit", this.#close);
  }

  /** Leaves nothing of this part: no journal, no guard, no listener. */
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
class Pending implements DurableCleanupOptions {
  readonly keeper: ThreadJournal;
  readonly journal: Journal;
  readonly id: number;
  /** The recipe's line in the journal, kept for a report of a failure. */
  readonly line: string;

  constructor(keeper: ThreadJournal, journal: Journal, id: number) {
    this.keeper = keeper;
    this.journal = journal;
    this.id = id;
    this.line = journal.line(id);
  }

  get recipe(): Recipe {
    return recipeIn(this.line);
  }

  /** The id by which the trace of a shutdown knows the recipe again when another process carries it out. */
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

/** Returns where the trace of this process is written, for the process that carries on with it. */
function tracedTo({ ATEXIT_TRACE }: NodeJS.ProcessEnv): { trace?: string } {
  return ATEXIT_TRACE ? { trace: traceFile(ATEXIT_TRACE) } : {};
}

function carryOutHere(pending: Pending): void | Promise<void> {
  const done = () => pending.keeper.done(pending.journal, pending.id);
  const fail = (error: unknown) => {
    // The frames of this package say nothing about what went wrong with the recipe.
    if (error instanceof Error) Error.captureStackTrace(error, carryOutHere);
    done();
    throw error;
  };
  let result: Success | Promise<Success>;
  try {
    result = carryOut(pending.recipe, HERE);
  } catch (error) {
    return fail(error);
  }
  return result instanceof Promise ? result.then(done, fail) : done();
}
