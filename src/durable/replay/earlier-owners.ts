// Dead owners whose recipes are about the same things as those of this process.
// Before a registration returns, what they have left about the same thing is over:
// else it would be done to what this process is about to make.

import { block } from "../../platform/block.ts";
import { builtin, now } from "../../platform/node-builtins.ts";
import { report } from "../../diagnostics/stderr.ts";
import { inodeOf, lookOf } from "../../platform/file-identity.ts";
import { hasSameView, type Life, thisProcess } from "../../platform/process-identity.ts";
import { isAnybodys } from "../../platform/pids.ts";
import { system } from "../../platform/this-system.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { type JournalName, lifeOfNamed, parseName } from "../journal/file-name.ts";
import { readJournal } from "../journal/reader.ts";
import { namesOf, type Recipe, titleOf } from "../recipes/recipe.ts";
import { lifeOfHolder } from "./claim.ts";
import type { RemoveRecipe } from "../recipes/remove.ts";
import { directoriesAbove, presentNamesOf } from "./present-names.ts";
import { startReplay } from "./start-replay.ts";
import { process } from "../../platform/process.ts";

/** How long a registration waits at most for the end of what dead owners have left, in milliseconds. */
export const OVER_WITHIN = 10_000;

/** The pause between two looks, in milliseconds. */
const LONGEST_PAUSE = 50;

/** A longer journal is not read here before it is claimed, in bytes: who claims it looks at what this process has written. */
const LONG = 1024 * 1024;

/** How long after a directory's last change another one shows by its time, in milliseconds: the clock's ticks. */
const CLOCK_TICK = 20;

/** How often the directory is read in a row, at most, where a journal was renamed meanwhile. */
const MOST_READS = 5;

/** Of how many live processes the start is compared, since that takes most of the time; the others have the pid. */
const COMPARED = 200;

type Stats = import("node:fs").Stats;

const fs = builtin("fs");

/** What a journal says, as far as it matters here. */
interface Content {
  /** What its recipes are about. */
  readonly names: ReadonlySet<string>;
  /** What they remove, with all that is in it. */
  readonly trees: readonly Tree[];
}

interface Tree {
  /** None where it means something else here. */
  readonly path?: string;
  /** As `device:inode`; none where it was not there at registration. */
  readonly inode?: string;
}

/** A file, as it was when it was read last. */
interface Known {
  readonly name: JournalName;
  /** What tells whether it has changed since. */
  look: string;
  content: Content;
  /** Whether its owner, in another container, may be alive. */
  readonly isUnknown: boolean;
  /**
   * Whether nothing comes to it any more: its owner is dead, and who carries it out
   * only writes down what is over. It is looked at again where it matters.
   */
  onlyLoses: boolean;
}

const NOTHING: Content = { names: new Set(), trees: [] };

export class EarlierOwners {
  readonly #directory: JournalDirectory;
  /** Journals that are carried out, or could be, and name something. */
  #left: Known[] = [];
  /** By the name of the file. */
  #known = new Map<string, Known>();
  #changes = 0;
  /** The time of the directory when it was read; `undefined` where a change might not show by it. */
  #readAt: number | undefined;

  constructor(directory: JournalDirectory) {
    this.#directory = directory;
    this.#read();
  }

  /** How often something that was left about a recipe was over when this process looked again. */
  get changes(): number {
    return this.#changes;
  }

  /** Whether anything was left, as far as this process has looked. */
  get hasLeft(): boolean {
    return this.#left.length > 0;
  }

  /**
   * Reports whether anything that was left is about the same thing.
   *
   * @param time the present one, by the clock of the directory's file system in milliseconds
   */
  concern(recipe: Recipe, time: number): boolean {
    const before = this.hasLeft ? this.#mayBeAbout(subjectOf(recipe)) : [];
    this.#update(time);
    const about = this.hasLeft ? this.#about(subjectOf(recipe)) : [];
    if (before.some((known) => !about.includes(known))) this.#changes += 1;
    return about.some((known) => this.#isLeft(known));
  }

  /**
   * Waits until what was left about the same thing is over. Blocks.
   *
   * @param end until when, by now()
   */
  waitFor(recipe: Recipe, end: number): void {
    for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      this.#read();
      const first = this.#about(subjectOf(recipe)).find((known) => this.#isLeft(known));
      if (first === undefined) return;
      const remaining = end - now();
      if (remaining <= 0) {
        report(
          `what a process that has ended (${first.name.holder.pid}) has left for the same thing as "${titleOf(recipe)}" is not over after ${OVER_WITHIN} ms. "atexit ps" and "atexit log" show it.`,
        );
        return;
      }
      const isGoingOn = first.name.kind === "claim" && lifeOfHolder(this.#directory, first.name) !== "dead";
      if (isGoingOn) block(pause);
      else if (!this.#carryOut(first, end)) return;
    }
  }

  /** Returns the journals that are about the same thing, and those that are carried out on a directory that it is in. */
  #about(subject: Subject): Known[] {
    return this.#mayBeAbout(subject).filter((known) => this.#refresh(known) && isAbout(known, subject));
  }

  /** Returns the same by what was read last: some of it may be over. */
  #mayBeAbout(subject: Subject): Known[] {
    return this.#left.filter((known) => isAbout(known, subject));
  }

  #isLeft({ name, isUnknown }: Known): boolean {
    return !isUnknown || lifeOfHolder(this.#directory, name) === "dead";
  }

  /**
   * Has a journal carried out in a process of its own, and waits for that one's end.
   * Reports whether there was one: else the recipe is left to the new owner's.
   */
  #carryOut({ name }: Known, end: number): boolean {
    const pid = startReplay(this.#directory, name.file);
    if (pid === undefined) return false;
    const isGoingOn = () => system.processOf(pid) !== undefined;
    for (let pause = 5; isGoingOn() && now() < end; pause = Math.min(pause * 1.2, LONGEST_PAUSE)) block(pause);
    if (fs.existsSync(this.#directory.file(name.file))) block(LONGEST_PAUSE); // another process may be about to
    return true;
  }

  #update(time: number): void {
    if (this.#readAt !== undefined && this.#changedAt() === this.#readAt) return;
    this.#read();
    const changedAt = this.#changedAt();
    this.#readAt = changedAt !== undefined && time - changedAt > CLOCK_TICK ? changedAt : undefined;
  }

  /** Returns when the directory has changed, in milliseconds; `undefined` where somebody has removed it. */
  #changedAt(): number | undefined {
    return fs.statSync(this.#directory.path, { throwIfNoEntry: false })?.mtimeMs;
  }

  /** Reads the directory until no journal that it names has got another name meanwhile: who claims one renames it. */
  #read(): void {
    for (let reads = 1; !this.#readOnce() && reads < MOST_READS; reads += 1);
    this.#left = [...this.#known.values()].filter(({ content }) => content.names.size > 0);
  }

  /** Reports whether all that the directory named was there when it was looked at. */
  #readOnce(): boolean {
    const before = this.#known;
    this.#known = new Map();
    let compared = 0;
    let isWhole = true;
    for (const file of this.#files()) {
      let known = before.get(file);
      if (known?.onlyLoses !== true) {
        const name = known?.name ?? parseName(file);
        if (name === undefined || !isJournal(name)) continue;
        let life: Life = "dead";
        if (name.kind === "journal") {
          life =
            compared < COMPARED || !isAnybodys(name.holder.pid)
              ? lifeOfNamed(name.holder, this.#directory.prefix)
              : "alive";
          compared += 1;
          if (life === "alive") continue;
        }
        known = this.#know(name, life, known);
        if (known === undefined) {
          isWhole = false;
          continue;
        }
      }
      this.#known.set(file, known);
    }
    return isWhole;
  }

  /** Lists the files of the directory; none where somebody has removed it, with all that was left. */
  #files(): string[] {
    try {
      return fs.readdirSync(this.#directory.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /**
   * Returns what a file says; `undefined` where it is gone.
   *
   * @param before what was known of the same file
   */
  #know(name: JournalName, life: Life, before: Known | undefined): Known | undefined {
    const isUnknown = life === "unknown";
    if (before?.isUnknown === isUnknown) return this.#refresh(before) ? before : undefined;
    const stats = this.#statsOf(name);
    if (stats === undefined) return undefined;
    const known = { name, look: "", content: NOTHING, isUnknown, onlyLoses: false };
    this.#take(known, stats);
    // Who has renamed it meanwhile keeps what it says under another name.
    return known.onlyLoses || this.#statsOf(name) !== undefined ? known : undefined;
  }

  /** Reads a file again if it has changed. Reports whether it is there. */
  #refresh(known: Known): boolean {
    const stats = this.#statsOf(known.name);
    if (stats === undefined) return false;
    if (lookOf(stats) !== known.look) this.#take(known, stats);
    return true;
  }

  /** Reads a file, as it looks now. */
  #take(known: Known, stats: Stats): void {
    const content = this.#contentIn(known.name, stats);
    // It is being renamed, and may come back under this name.
    if (content === undefined && known.onlyLoses) return;
    known.look = lookOf(stats);
    known.content = content ?? NOTHING;
    known.onlyLoses = content !== undefined && !known.isUnknown;
  }

  #statsOf({ file }: JournalName): Stats | undefined {
    return fs.lstatSync(this.#directory.file(file), { throwIfNoEntry: false });
  }

  /** Returns what a journal names; `undefined` where it cannot be read, or not now. */
  #contentIn(name: JournalName, stats: Stats): Content | undefined {
    if (stats.size > LONG && name.kind !== "claim") return NOTHING;
    const read = readJournal(this.#directory, name);
    if (typeof read === "string" || "refused" in read) return undefined;
    const recipes = read.pending.map(({ recipe }) => recipe);
    const hasSamePaths = hasSameView(read.header.owner);
    return {
      // Their paths are not looked at: the file system that one is on may hang.
      names: new Set(recipes.flatMap((recipe) => namesOf(recipe, read.header.owner))),
      trees: recipes.flatMap((recipe) => (recipe.do === "remove" ? [treeOf(recipe, hasSamePaths)] : [])),
    };
  }
}

/** What a recipe of this process is about. */
interface Subject {
  readonly names: readonly string[];
  /** The directories that it is in, by their paths, and as `device:inode`. */
  readonly directories: ReadonlySet<string>;
}

function subjectOf(recipe: Recipe): Subject {
  const above = "path" in recipe ? [...directoriesAbove(recipe.path)] : [];
  const directories = new Set(above.flatMap(({ path, inode = path }) => [path, inode]));
  return { names: presentNamesOf(recipe, thisProcess()), directories };
}

function isAbout({ name, content }: Known, { names, directories }: Subject): boolean {
  if (names.some((own) => content.names.has(own))) return true;
  // Who claims a journal later sees what this process has written down.
  if (name.kind !== "claim") return false;
  const isOneOf = (tree: string | undefined) => tree !== undefined && directories.has(tree);
  return content.trees.some(({ path, inode }) => isOneOf(path) || isOneOf(inode));
}

function treeOf({ path, is }: RemoveRecipe, hasSamePaths: boolean): Tree {
  return {
    ...(hasSamePaths ? { path } : {}),
    ...(typeof is === "number" ? {} : { inode: inodeOf({ dev: is[0], ino: is[1] }) }),
  };
}

/** Reports whether a file is a journal that may still be carried out here, and not by this very process. */
function isJournal({ kind, holder, triedIn }: JournalName): boolean {
  if (kind === "left") return triedIn !== thisProcess().view;
  if (kind === "claim") return !(holder.pid === process.pid && holder.start === thisProcess().start);
  return kind === "journal";
}
