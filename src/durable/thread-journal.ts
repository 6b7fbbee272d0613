// The state of this part in one thread: its settings, and its journal and guard
// while recipes are pending. It uses the public API of the package: a recipe is
// registered as a function that carries it out.

import { builtin, clearTimeout, now, setImmediate, setTimeout } from "../platform/node-builtins.ts";
import { type Registration, thread } from "../index.ts";
import type { DurableCleanupOptions } from "../registry/registration.ts";
import type { AnyFunction } from "../registry/stack.ts";
import { report } from "../diagnostics/stderr.ts";
import { blameCaller } from "../errors/define-errors.ts";
import { durableError } from "../errors/durable.ts";
import { type JournalDirectory, journalDirectories, journalDirectory } from "./journal/directory.ts";
import { startGuard } from "./guard/start.ts";
import { beginJournal, isSharable, type OpenJournal } from "./open-journal.ts";
import { isNotWritten, recipeIn } from "./journal/writer.ts";
import { durableId } from "./journal/file-name.ts";
import { isLacking } from "../platform/lacking.ts";
import { thisProcess } from "../platform/process-identity.ts";
import type { Living, OwnCommand, ReplayContext, Success } from "./recipes/recipe-kind.ts";
import { patienceFor } from "./recipes/exec.ts";
import { carryOut, identified, isIdentified, type Recipe, titleOf } from "./recipes/recipe.ts";
import { HeldInodes } from "./recipes/held-inodes.ts";
import { type Helper, helperIn, isHelper } from "./helper/helper.ts";
import { OVER_WITHIN } from "./replay/earlier-owners.ts";
import { hasLeft, recoverIn } from "./replay/recover.ts";
import type { Replayed } from "./replay/replayed.ts";
import { startRecovery } from "./replay/start-replay.ts";
import { checkSettings, defaultSettings, type DurableSettings, environmentSettings } from "./settings.ts";
import { environment, process } from "../platform/process.ts";

const { existsSync } = builtin("fs");

/** How long a guard stays when nothing is pending, in milliseconds: the next recipe often comes soon. */
const LINGER = 1_000;

/** How long after it was in vain what is over is written down once more, in milliseconds: descriptors had run out, say. */
const SETTLE_AGAIN = 100;

/** How often a recipe is described, at most: others may end all the time, and leave something. */
const MOST_ROUNDS = 5;

/** How long after a registration what is missing is looked for, in milliseconds; then ever more seldom. */
const FIRST_LOOK = 5;
const SELDOMEST_LOOK = 10_000;

const NOBODY: Living = { whoIsIn: () => undefined, hasProcess: () => false, directories: () => new Map() };

const HERE: ReplayContext = {
  isOwner: true,
  sameBoot: true,
  sameView: true,
  sameDevices: true,
  samePids: true,
  bornUntil: undefined,
  living: NOBODY,
  isGuard: false,
  helper: undefined,
};

/**
 * Returns a recipe as things are now.
 *
 * @param clock tells the time by the clock of the journal's file system, in milliseconds
 */
export type Describe = (clock: () => number) => Recipe;

export interface DurableOptions {
  /** Whether the guard may come in the next turn of the event loop: the recipe may be over then. */
  guardLater?: boolean;
  /** Whether to go on, with a warning, where there is no place for a journal that can be trusted. */
  mayGoWithout?: boolean;
  /** Called before this process carries the recipe out: lets go of what it has open of it. */
  letGo?: () => void;
  /** Given for a command, which has the time that its recipe says, and not a fair share of the grace period. */
  command?: CommandSettings;
}

/** How this process runs a command itself. */
interface CommandSettings {
  /** What reports call it; by default as its recipe does. */
  readonly name?: string;
  /** Whether its output goes where this process's does. */
  readonly inheritsOutput?: boolean;
}

export class ThreadJournal {
  readonly #settings: DurableSettings = { ...defaultSettings(), ...environmentSettings(environment()) };
  #open: OpenJournal | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #hasRecovered = false;
  #hasWarned = false;
  /** How many recipes were registered. */
  #changes = 0;
  /** Why directories do not take a journal, by their paths. */
  readonly #withoutRoom = new Map<string, Error>();
  /** Recipes about something that is not there yet. */
  readonly #unidentified = new Set<Pending>();
  readonly #held = new HeldInodes();
  #looking: NodeJS.Timeout | undefined;
  #isLookingSoon = false;
  #isSettlingSoon = false;

  /** @throws an error with the code `ERR_ATEXIT_DIRECTORY` */
  get directory(): JournalDirectory {
    return journalDirectory(this.#settings.journalDir);
  }

  /**
   * Where this thread's recipes stand, or would stand.
   *
   * @throws an error with the code `ERR_ATEXIT_DIRECTORY`
   */
  get place(): JournalDirectory {
    return this.#open?.directory ?? this.directory;
  }

  /** How a helper is started for what this thread carries out itself. */
  get helper(): Helper | undefined {
    try {
      return helperIn(this.directory);
    } catch {
      return undefined; // there is no directory in which its program could be
    }
  }

  configure(given: unknown): DurableSettings {
    Object.assign(this.#settings, checkSettings(given), environmentSettings(environment()));
    return { ...this.#settings };
  }

  /**
   * Writes a recipe down, and registers a cleanup that carries it out in this process.
   *
   * @param callee the public function that the program has called
   * @throws an error with the code `ERR_ATEXIT_DIRECTORY` where the directory that was set cannot be trusted
   */
  add(callee: AnyFunction, describe: Describe, options: DurableOptions = {}): DurableRegistration {
    const { guardLater = false, mayGoWithout = this.#settings.journalDir === undefined, letGo, command } = options;
    const pending = blameCaller(callee, () => this.#writeDown(describe, mayGoWithout));
    const { open } = pending;
    if (open !== undefined) {
      if (guardLater) setImmediate(() => open.journal.pending > 0 && this.#guardIt(open));
      else this.#guardIt(open);
    }
    const args = command === undefined ? [pending, letGo] : [pending, letGo, command];
    const settings = command === undefined ? pending : settingsOf(pending, command);
    const registration = thread.add(callee, carryOutHere, args, settings) as unknown as Registration<never>;
    return { registration, pending };
  }

  /** Writes a recipe down, in the next place where one has no room; where none has, it may go without. */
  #writeDown(describe: Describe, mayGoWithout: boolean): Pending {
    const wasClosed = this.#open === undefined;
    for (;;) {
      try {
        const open = this.#openJournal(mayGoWithout);
        if (open !== undefined) return this.#writeInto(open, describe);
        return this.#without(describe);
      } catch (error) {
        const open = this.#open;
        if (open === undefined || !isNotWritten(error)) {
          if (wasClosed)
            this.#close(); // as if nothing had been called
          else this.#lingerIfIdle();
          throw error;
        }
        if (open.journal.pending === 0) {
          this.#withoutRoom.set(open.directory.path, refusalOf(open.directory, error));
          this.#close();
          open.directory.unmake();
          // The directory that was set has no other in its place.
          if (!mayGoWithout && this.#settings.journalDir !== undefined) throw error;
        } else {
          if (!mayGoWithout) throw error;
          this.#warn(refusalOf(open.directory, error));
          return this.#without(describe);
        }
      }
    }
  }

  /** Goes without a journal. */
  #without(describe: Describe): Pending {
    const recipe = describe(() => 0);
    return new Pending(this, undefined, recipe);
  }

  /** Writes a recipe down, when what dead owners have left about the same thing is over. */
  #writeInto(open: OpenJournal, describe: Describe): Pending {
    const { earlier, journal } = open;
    const end = now() + OVER_WITHIN;
    for (let rounds = 1; ; rounds += 1) {
      const { changes } = earlier;
      const isLast = rounds === MOST_ROUNDS || now() >= end;
      const recipe = describe(() => journal.clock());
      if (!isLast && earlier.hasLeft && this.#isToWait(open, recipe, changes, end)) continue;
      const pending = new Pending(this, open, recipe, journal.add(recipe));
      this.#changes += 1;
      // Somebody may have claimed what a dead owner has left before this recipe was there to be seen.
      if (isLast || !this.#isToWait(open, recipe, changes, end, () => journal.done(pending.id))) {
        this.#held.hold(pending, recipe);
        if (!isIdentified(recipe)) this.#lookFor(pending);
        if (open.insteadOf !== undefined) this.#tellPlace(open.insteadOf, open.directory);
        return pending;
      }
    }
  }

  /**
   * Reports whether a recipe has to be described anew: what dead owners have left
   * about the same thing was waited for, or may have been carried out meanwhile.
   *
   * @param changes how often what was left had changed when it was described
   * @param end until when to wait, by now()
   * @param withdraw called before the wait
   */
  #isToWait(
    { journal, earlier }: OpenJournal,
    recipe: Recipe,
    changes: number,
    end: number,
    withdraw = () => {},
  ): boolean {
    const isConcerned = earlier.concern(recipe, journal.writtenAt);
    if (!isConcerned && earlier.changes === changes) return false;
    withdraw();
    if (isConcerned) earlier.waitFor(recipe, end);
    return true;
  }

  /** Returns this thread's journal; `undefined` where there is no place for one that can be trusted. */
  #openJournal(mayGoWithout: boolean): OpenJournal | undefined {
    clearTimeout(this.#lingering);
    // Root's guard takes no orders from a process that has dropped its privileges.
    if (this.#open?.journal.isOwn === false) this.#leave();
    if (this.#open !== undefined) {
      if (this.#lingering !== undefined) process.off("exit", this.#close);
      this.#lingering = undefined;
      return this.#open;
    }
    try {
      this.#open = this.#begin();
    } catch (error) {
      if (!mayGoWithout) throw error;
      this.#warn(error as Error);
    }
    return this.#open;
  }

  /**
   * Begins a journal in the first directory that takes one.
   *
   * @throws an error with the code `ERR_ATEXIT_DIRECTORY`: why the first does not
   */
  #begin(): OpenJournal {
    let failure: Error | undefined;
    for (const directory of journalDirectories(this.#settings.journalDir)) {
      let why = this.#withoutRoom.get(directory.path);
      if (why === undefined) {
        try {
          const begun = beginJournal(directory, this.#settings.fsync, () => this.#changes);
          return { ...begun, insteadOf: failure };
        } catch (error) {
          why = refusalOf(directory, error);
        }
      }
      directory.unmake();
      failure ??= why;
    }
    this.#withoutRoom.clear(); // there may be room again
    throw failure as Error; // without a place there was no round
  }

  /** Says once that journals are not where the next start looks for them. */
  #tellPlace({ message }: Error, { path }: JournalDirectory): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    report(`${message} Until then they are in ${path}, where no later start looks for them.`);
  }

  #warn({ message }: Error): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    report(
      `${message} Until then cleanups happen on every exit that JavaScript sees, but not when this process is killed.`,
    );
  }

  #guardIt(open: OpenJournal): void {
    const { journal, directory } = open;
    // A helper starts no other process: whatever it is started in, that cannot go on for ever.
    if (isHelper) return;
    if (this.#settings.guard) {
      if (open.guard === undefined) {
        open.guard = startGuard(
          directory,
          journal,
          () => journal.pending > 0,
          () => this.#recover(directory),
        );
      } else open.guard.ensure();
    } else {
      this.#recover(directory);
    }
  }

  /** Recovers without a guard: in another process where one can be had. */
  #recover(directory: JournalDirectory): void {
    if (this.#hasRecovered) return;
    this.#hasRecovered = true;
    setImmediate(() => {
      try {
        if (!hasLeft(directory) || startRecovery(directory)) return;
      } catch {
        return; // the directory is gone, and what was in it
      }
      void recoverIn(directory, { all: false, changes: () => this.#changes }).catch(() => {});
    }).unref();
  }

  /**
   * Carries out what dead owners have left, or returns what would be.
   *
   * @throws (rejects with) an error with the code `ERR_ATEXIT_DIRECTORY`
   */
  async recover(dryRun: boolean): Promise<Replayed[]> {
    return recoverIn(this.directory, { dryRun, changes: () => this.#changes });
  }

  /** Looks for a recipe's file until it is there: its identity tells it from what comes in its place later. */
  #lookFor(pending: Pending): void {
    this.#unidentified.add(pending);
    if (this.#isLookingSoon) return;
    this.#isLookingSoon = true;
    setImmediate(() => {
      this.#isLookingSoon = false;
      this.#look(FIRST_LOOK);
    }).unref();
  }

  #look(next: number): void {
    clearTimeout(this.#looking);
    for (const pending of this.#unidentified) {
      if (pending.isPending && !pending.identify()) continue;
      this.#unidentified.delete(pending);
      if (pending.isPending) this.#held.hold(pending, pending.recipe);
    }
    if (this.#unidentified.size === 0) return;
    this.#looking = setTimeout(() => this.#look(Math.min(next * 2, SELDOMEST_LOOK)), next).unref();
  }

  /**
   * Writes down that a recipe is over: carried out, or cancelled.
   *
   * @param isHarmless whether it might be carried out once more: then one line does for many of this turn
   */
  done(pending: Pending, isHarmless = false): void {
    const { open, id } = pending;
    this.#held.release(pending);
    if (open === undefined) return;
    const { journal } = open;
    if (isHarmless) journal.doneSoon(id);
    else journal.done(id);
    if (journal.owes) {
      // What could not be written down is told to the guard, and written down when it can be.
      if (!isHarmless || !journal.isOwn) open.guard?.forget(id);
      this.#settleSoon(open);
    }
    if (open === this.#open) this.#lingerIfIdle();
  }

  #settleSoon(open: OpenJournal): void {
    if (this.#isSettlingSoon) return;
    this.#isSettlingSoon = true;
    setImmediate(() => this.#settle(open)).unref();
  }

  #settle(open: OpenJournal): void {
    this.#isSettlingSoon = false;
    const { journal } = open;
    if (this.#open !== open || !journal.isOwn) return;
    journal.settle();
    if (!journal.owes) return;
    this.#isSettlingSoon = true;
    setTimeout(() => this.#settle(open), SETTLE_AGAIN).unref();
  }

  /** Leaves a recipe to its own user, and says so where that is not the end, or no guard is there for it. */
  leaveToItsUser({ open, name }: Pending): void {
    const isGuarded = open?.guard?.isRunning === true;
    if (isGuarded && thread.exiting.aborted) return;
    const who = isGuarded ? "its guard, when this process has ended" : "the next program of its user that uses recipes";
    report(
      `"${name}" is left to ${who}: it was registered as another user, who has rights that this process has dropped.`,
    );
  }

  #lingerIfIdle(): void {
    if (this.#open === undefined || this.#open.journal.pending > 0) return;
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
    this.#open?.journal.close();
    this.#open?.guard?.end();
    this.#open = undefined;
  };

  /** Leaves a journal, with what is pending in it, to its guard: that one still has the right to carry it out. */
  #leave(): void {
    process.off("exit", this.#close);
    this.#lingering = undefined;
    this.#open = undefined;
    this.#hasRecovered = false;
  }
}

/** What registers a recipe for a function of this package. */
export interface DurableRegistration {
  /** What it returns when it is run is for the public function to say. */
  readonly registration: Registration<never>;
  readonly pending: Pick<Pending, "recipe" | "isOwn" | "update" | "identify">;
}

/** A recipe that is registered, as small as can be: there may be a million. */
class Pending implements DurableCleanupOptions {
  readonly keeper: ThreadJournal;
  /** None where there is no journal: the recipe is carried out in this process alone. */
  readonly open: OpenJournal | undefined;
  readonly id: number;
  /** The recipe's line in the journal, kept for a report of a failure. */
  #line: string | Recipe;

  constructor(keeper: ThreadJournal, open: OpenJournal | undefined, recipe: Recipe, id = 0) {
    this.keeper = keeper;
    this.open = open;
    this.id = id;
    this.#line = open?.journal.line(id) ?? recipe;
  }

  get recipe(): Recipe {
    return typeof this.#line === "string" ? recipeIn(this.#line) : this.#line;
  }

  /** Whether this process still acts in the name of the user who has registered it. */
  get isOwn(): boolean {
    return this.open?.journal.isOwn ?? true;
  }

  get isPending(): boolean {
    return this.open?.journal.line(this.id) !== undefined;
  }

  /** Replaces the recipe by one that says more about the same thing. */
  update(recipe: Recipe): void {
    this.open?.journal.update(this.id, recipe);
    this.#line = this.open?.journal.line(this.id) ?? recipe;
  }

  /** Writes down what the recipe's file is, where that can be known by now. Reports whether it can. */
  identify(): boolean {
    const found = identified(this.recipe);
    if (found !== undefined) this.update(found);
    return found !== undefined;
  }

  /** The id by which the trace of a shutdown knows the recipe again when another process carries it out. */
  get durable(): string | undefined {
    return this.open && durableId(builtin("path").basename(this.open.journal.path), this.id);
  }

  get name(): string {
    return titleOf(this.recipe);
  }

  onCancel(): void {
    this.keeper.done(this);
  }
}

/** Returns an error that says why no journal is kept in a directory. */
function refusalOf({ path }: JournalDirectory, error: unknown): Error {
  const { message } = isNotWritten(error) ? error.cause : (error as Error);
  return durableError("ERR_ATEXIT_DIRECTORY", path, message);
}

/** Returns the settings of a command's registration. */
function settingsOf(pending: Pending, { name = pending.name }: CommandSettings): DurableCleanupOptions {
  const { recipe, durable } = pending;
  const timeout = recipe.do === "exec" ? { timeout: patienceFor(recipe) } : {};
  return { name, durable, ...timeout, onCancel: () => pending.onCancel() };
}

function contextFor(
  pending: Pending,
  recipe: Recipe,
  living: Living = NOBODY,
  command: CommandSettings = {},
): ReplayContext {
  if (recipe.do === "call") return { ...HERE, helper: pending.keeper.helper };
  if (recipe.do !== "exec") return { ...HERE, living };
  const ownCommand: OwnCommand = {
    inheritsOutput: command.inheritsOutput === true,
    writeDown: (begun) => pending.update({ ...recipe, begun }),
  };
  return { ...HERE, living, ownCommand };
}

/**
 * Reports whether a recipe that was carried out does nothing when it is once more: what it
 * has removed is gone, and by its time of birth nothing is taken for it that comes in its place.
 */
function isHarmless(recipe: Recipe): boolean {
  if (recipe.do !== "remove" || recipe.made !== true || recipe.onlyIfEmpty === true) return false;
  return typeof recipe.is !== "number" && recipe.is[2] > 0;
}

function carryOutHere(pending: Pending, letGo?: () => void, command?: CommandSettings): void | Promise<void> {
  letGo?.();
  if (!pending.isOwn) return carryOutAsAnother(pending);
  const { open, recipe } = pending;
  const done = () => pending.keeper.done(pending, isHarmless(recipe));
  const fail = (error: unknown) => {
    // The frames of this package say nothing about what went wrong with the recipe.
    if (error instanceof Error) Error.captureStackTrace(error, carryOutHere);
    if (open === undefined || !isLacking(error)) pending.keeper.done(pending);
    throw error;
  };
  let result: Success | Promise<Success>;
  try {
    const living =
      open !== undefined && isSharable(recipe) && existsSync(open.directory.path) ? open.living : undefined;
    const who = living?.whoHas(recipe, thisProcess());
    if (who !== undefined) {
      done();
      // Others that end at the same time may have looked before this was written down: the last of them finds nobody.
      if (living?.whoHasNow(recipe, thisProcess()) !== undefined) {
        report(`"${titleOf(recipe)}" is left alone: ${who}.`);
        return undefined;
      }
    }
    result = carryOut(recipe, contextFor(pending, recipe, living, command));
  } catch (error) {
    return fail(error);
  }
  return result instanceof Promise ? result.then(done, fail) : done();
}

/**
 * Carries out what was registered before privileges were dropped: what is known to this
 * process alone goes as far as that may be, and the rest is for the guard that still has them.
 */
function carryOutAsAnother(pending: Pending): void {
  const { keeper, recipe } = pending;
  if (recipe.do === "unlock" || (recipe.do === "remove" && !isSharable(recipe))) {
    try {
      void carryOut(recipe, HERE);
      keeper.done(pending);
      return;
    } catch {
      // This user may not, or may not even look.
    }
  }
  keeper.leaveToItsUser(pending);
}
