// Dead owners whose recipes are about the same things as those of this process.
// Before a registration returns, what they have left about the same thing is over:
// else it would be done to what this process is about to make.

import { builtin, now } from "../../platform/node-builtins.ts";
import { report } from "../../diagnostics/stderr.ts";
import { processOf } from "../../platform/process-list.ts";
import { hasSameView, thisProcess } from "../../platform/process-identity.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { type JournalName, lifeOfNamed, parseName } from "../journal/file-name.ts";
import { readJournal } from "../journal/reader.ts";
import { namesOf, type Recipe, titleOf } from "../recipes/recipe.ts";
import { lifeOfHolder } from "./claim.ts";
import type { RemoveRecipe } from "../recipes/remove.ts";
import { startReplay } from "./start-replay.ts";
import { process } from "../../platform/process.ts";

/** How long the end of what a dead owner has left is waited for, in milliseconds. */
const WITHIN = 10_000;

/** The pause between two looks, in milliseconds. */
const LONGEST_PAUSE = 50;

/** A longer journal is not read here, in bytes: who carries it out looks at what this process has written. */
const LONG = 1024 * 1024;

/** How long after a directory's last change another one shows by its time, in milliseconds: the clock's ticks. */
const CLOCK_TICK = 20;

/** Of how many live processes the start is compared, since that takes most of the time; the others have the pid. */
const COMPARED = 200;

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

/** What was read, and what the file looked like then. */
interface Known {
  readonly look: string;
  readonly content: Content;
}

const NOTHING: Content = { names: new Set(), trees: [] };

/** A journal that is carried out, or could be. */
interface Left {
  readonly name: JournalName;
  readonly content: Content;
  /** Whether its owner, in another container, may be alive. */
  readonly isUnknown: boolean;
}

export class EarlierOwners {
  readonly #directory: JournalDirectory;
  #left: Left[] = [];
  /** By the name of the file. */
  #known = new Map<string, Known>();
  #changes = 0;
  /** The time of the directory when it was read; `undefined` where a change might not show by it. */
  #readAt: number | undefined;

  constructor(directory: JournalDirectory) {
    this.#directory = directory;
    this.#read();
  }

  /** How often what was left has changed, as far as this process has looked. */
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
    this.#update(time);
    return this.#left.length > 0 && this.#about(recipe).length > 0;
  }

  /** Waits until what was left about the same thing is over, or for a bounded time. Blocks. */
  waitFor(recipe: Recipe): void {
    const end = now() + WITHIN;
    for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      this.#read();
      const [first] = this.#about(recipe);
      if (first === undefined) return;
      const remaining = end - now();
      if (remaining <= 0) {
        report(
          `what a process that has ended (${first.name.holder.pid}) has left for the same thing as "${titleOf(recipe)}" is not over after ${WITHIN} ms. "atexit ps" and "atexit log" show it.`,
        );
        return;
      }
      const isGoingOn = first.name.kind === "claim" && lifeOfHolder(this.#directory, first.name) !== "dead";
      if (isGoingOn) sleep(pause);
      else if (!this.#carryOut(first, end)) return;
    }
  }

  /** Returns what is about the same thing, and what is being carried out on a directory that it is in. */
  #about(recipe: Recipe): Left[] {
    const names = namesOf(recipe, thisProcess());
    // Who claims a journal later sees what this process has written down.
    const isBeingRemoved = ({ name, content: { trees } }: Left) =>
      name.kind === "claim" && trees.length > 0 && "path" in recipe && isIn(recipe, trees);
    return this.#left
      .filter((left) => names.some((name) => left.content.names.has(name)) || isBeingRemoved(left))
      .filter(({ name, isUnknown }) => !isUnknown || lifeOfHolder(this.#directory, name) === "dead");
  }

  /**
   * Has a journal carried out in a process of its own, and waits for that one's end.
   * Reports whether there was one: else the recipe is left to the new owner's.
   */
  #carryOut({ name }: Left, end: number): boolean {
    const pid = startReplay(this.#directory, name.file);
    if (pid === undefined) return false;
    const isGoingOn = () => processOf(pid) !== undefined;
    for (let pause = 5; isGoingOn() && now() < end; pause = Math.min(pause * 1.2, LONGEST_PAUSE)) sleep(pause);
    if (fs.existsSync(this.#directory.file(name.file))) sleep(LONGEST_PAUSE); // another process may be about to
    return true;
  }

  #update(time: number): void {
    if (this.#readAt !== undefined && fs.statSync(this.#directory.path).mtimeMs === this.#readAt) return;
    this.#read();
    const { mtimeMs } = fs.statSync(this.#directory.path);
    this.#readAt = time - mtimeMs > CLOCK_TICK ? mtimeMs : undefined;
  }

  #read(): void {
    const before = this.#left;
    const known = this.#known;
    this.#left = [];
    this.#known = new Map();
    let compared = 0;
    for (const file of fs.readdirSync(this.#directory.path)) {
      const name = parseName(file);
      if (name === undefined || !isJournal(name)) continue;
      let isUnknown = false;
      if (name.kind === "journal") {
        const life = compared < COMPARED || !hasPid(name) ? lifeOfNamed(name.holder) : "alive";
        compared += 1;
        if (life === "alive") continue;
        isUnknown = life === "unknown";
      }
      const content = this.#contentOf(name, known);
      if (content.names.size > 0) this.#left.push({ name, content, isUnknown });
    }
    const isSame =
      before.length === this.#left.length && this.#left.every(({ name }, at) => name.file === before[at]?.name.file);
    if (!isSame) this.#changes += 1;
  }

  #contentOf(name: JournalName, before: ReadonlyMap<string, Known>): Content {
    const { size = 0, mtimeMs = 0 } = fs.lstatSync(this.#directory.file(name.file), { throwIfNoEntry: false }) ?? {};
    const look = `${size} ${mtimeMs}`;
    const known = before.get(name.file);
    const content = known?.look === look ? known.content : size > LONG ? NOTHING : this.#contentIn(name);
    this.#known.set(name.file, { look, content });
    return content;
  }

  #contentIn(name: JournalName): Content {
    const read = readJournal(this.#directory, name);
    if (typeof read === "string" || "refused" in read) return NOTHING;
    const recipes = read.pending.map(({ recipe }) => recipe);
    const hasSamePaths = hasSameView(read.header.owner);
    return {
      names: new Set(recipes.flatMap((recipe) => namesOf(recipe, read.header.owner))),
      trees: recipes.flatMap((recipe) => (recipe.do === "remove" ? [treeOf(recipe, hasSamePaths)] : [])),
    };
  }
}

function treeOf({ path, is }: RemoveRecipe, hasSamePaths: boolean): Tree {
  return {
    ...(hasSamePaths ? { path } : {}),
    ...(typeof is === "number" ? {} : { inode: `${is[0]}:${is[1]}` }),
  };
}

/** Reports whether what a recipe is about is in one of these trees. */
function isIn({ path }: { readonly path: string }, trees: readonly Tree[]): boolean {
  const { dirname } = builtin("path");
  for (let at = dirname(path); ; at = dirname(at)) {
    const stats = fs.statSync(at, { throwIfNoEntry: false });
    const inode = stats && `${stats.dev}:${stats.ino}`;
    if (trees.some((tree) => tree.path === at || (inode !== undefined && tree.inode === inode))) return true;
    if (at === dirname(at)) return false;
  }
}

/** Reports whether a file is a journal that may still be carried out here, and not by this very process. */
function isJournal({ kind, holder, triedIn }: JournalName): boolean {
  if (kind === "left") return triedIn !== thisProcess().view;
  if (kind === "claim") return !(holder.pid === process.pid && holder.start === thisProcess().start);
  return kind === "journal";
}

/** Blocks for so many milliseconds. */
function sleep(pause: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
}

/** Reports whether any process has the owner's pid. */
function hasPid({ holder: { pid } }: JournalName): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
