// What the journals of live owners name, as far as it concerns the recipes of dead
// ones: the living come before the dead.
//
// An owner writes a recipe down first, and then looks for claims that are about the
// same thing, and waits for their end. Who carries journals out claims them first,
// and then reads what the living have written. So one of the two sees the other.

import { builtin, now } from "../../platform/node-builtins.ts";
import { inodeOf, lookOf } from "../../platform/file-identity.ts";
import { hasSameView, type Owner, thisProcess } from "../../platform/process-identity.ts";
import { system } from "../../platform/this-system.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { type JournalName, parseName } from "../journal/file-name.ts";
import { readJournal } from "../journal/reader.ts";
import type { KillRecipe, Living } from "../recipes/recipe-kind.ts";
import { directoriesOf, namesOf, type Recipe } from "../recipes/recipe.ts";
import { lifeOfHolder } from "./claim.ts";
import { presentNamesOf } from "./present-names.ts";

/** How long what was read counts, in milliseconds, and how many times as long as the reading took. */
const FRESH = 20;
const FRESH_TIMES = 10;

const fs = builtin("fs");
const { sep } = builtin("path");

/** The part of a journal that is carried out that counts here. */
export type CarriedOut = {
  readonly header: { readonly owner: Owner };
  readonly pending: readonly { readonly recipe: Recipe }[];
};

/** What a live owner's journal names. */
interface Owned {
  readonly who: string;
  /** Those of the carried out recipes' names that it names, too. */
  readonly names: ReadonlySet<string>;
  /**
   * Where it has something, as it has written it; none where its paths mean something
   * else here. They are compared, and not looked at: the file system that one is on may hang.
   */
  readonly paths: readonly string[];
  /** The processes that it has registered, by pid and start; none where pids mean something else here. */
  readonly processes: ReadonlyMap<number, string>;
  readonly pid: number;
  /** Directories in which it has something, or works, by device and inode, whatever their paths are here. */
  readonly directories: readonly string[];
}

interface Options {
  /** Whose journals count; everybody's by default. */
  readonly isOther?: (name: JournalName) => boolean;
  /** Returns another number when this process itself has registered something meanwhile. */
  readonly changes?: () => number;
}

export class LivingOwners implements Living {
  readonly #directory: JournalDirectory;
  /** Of that directory, as `device:inode`. */
  readonly #inode: string;
  readonly #carriedOut: () => readonly CarriedOut[];
  readonly #isOther: (name: JournalName) => boolean;
  readonly #changes: () => number;
  /** By the file of its journal, and what that looked like when it was read. */
  #owned = new Map<string, { readonly look: string; readonly owned: Owned }>();
  #freshUntil = Number.NEGATIVE_INFINITY;
  #changesThen: number | undefined;
  /** What the recipes that are carried out are about; known when somebody else is there. */
  #concern: ReadonlySet<string> | undefined;

  /** @param carriedOut returns the journals that this process has claimed, or its own that it carries out */
  constructor(directory: JournalDirectory, carriedOut: () => readonly CarriedOut[], options: Options = {}) {
    const { isOther = () => true, changes = () => 0 } = options;
    this.#directory = directory;
    this.#inode = inodeOf(fs.statSync(directory.path));
    this.#carriedOut = carriedOut;
    this.#isOther = isOther;
    this.#changes = changes;
  }

  /** Returns who has registered the same thing and is alive, as a sentence. */
  whoHas(recipe: Recipe, owner: Owner): string | undefined {
    this.#read();
    if (this.#owned.size === 0) return undefined;
    const names = presentNamesOf(recipe, owner);
    for (const { owned } of this.#owned.values()) {
      if (names.some((name) => owned.names.has(name))) return `${owned.who}, which is alive, has registered the same`;
    }
    return undefined;
  }

  /** Returns the same, by what is written down at this very moment. */
  whoHasNow(recipe: Recipe, owner: Owner): string | undefined {
    this.#freshUntil = Number.NEGATIVE_INFINITY;
    return this.whoHas(recipe, owner);
  }

  whoIsIn(directory: string): string | undefined {
    this.#read();
    for (const { owned } of this.#owned.values()) {
      const found = owned.paths.find((path) => path === directory || path.startsWith(directory + sep));
      if (found !== undefined) return `${owned.who}, which is alive, has ${found} in it`;
    }
    return undefined;
  }

  hasProcess({ pid, start }: Pick<Owner, "pid" | "start">, except: ReadonlySet<number>): boolean {
    this.#read();
    return [...this.#owned.values()].some(({ owned }) => {
      const registered = owned.processes.get(pid);
      return registered !== undefined && system.isSameStart(registered, start) && !except.has(owned.pid);
    });
  }

  directories(): ReadonlyMap<string, string> {
    this.#read();
    const said = [...this.#owned.values()].flatMap(({ owned }) =>
      owned.directories.map((directory) => [directory, `${owned.who}, which is alive, has something in it`] as const),
    );
    return new Map(said);
  }

  #read(): void {
    const startedAt = now();
    const changes = this.#changes();
    if (changes !== this.#changesThen) {
      this.#owned.clear();
      this.#concern = undefined;
    } else if (startedAt < this.#freshUntil) {
      return;
    }
    this.#changesThen = changes;
    const before = this.#owned;
    this.#owned = new Map();
    for (const file of fs.readdirSync(this.#directory.path)) {
      const name = parseName(file);
      if (name?.kind !== "journal" || !this.#isOther(name)) continue;
      const stats = fs.lstatSync(this.#directory.file(file), { throwIfNoEntry: false });
      if (stats === undefined || lifeOfHolder(this.#directory, name) === "dead") continue;
      const look = lookOf(stats);
      const known = before.get(file);
      const owned = known?.look === look ? known.owned : this.#ownedBy(name);
      if (owned !== undefined) this.#owned.set(file, { look, owned });
    }
    const endedAt = now();
    this.#freshUntil = endedAt + Math.max(FRESH, (endedAt - startedAt) * FRESH_TIMES);
  }

  #ownedBy(name: JournalName): Owned | undefined {
    const read = readJournal(this.#directory, name);
    if (typeof read === "string" || !("header" in read)) return undefined;
    const { owner } = read.header;
    const recipes = read.pending.map(({ recipe }) => recipe);
    this.#concern ??= new Set(
      this.#carriedOut().flatMap((each) =>
        each.pending.flatMap(({ recipe }) => presentNamesOf(recipe, each.header.owner)),
      ),
    );
    const concern = this.#concern;
    const names = recipes.flatMap((recipe) => namesOf(recipe, owner)).filter((each) => concern.has(each));
    const paths = hasSameView(owner) ? recipes.flatMap((recipe) => ("path" in recipe ? [recipe.path] : [])) : [];
    const directories = recipes.flatMap(directoriesOf).map(([dev, ino]) => inodeOf({ dev, ino }));
    const processes = owner.pidns === thisProcess().pidns ? recipes.filter(({ do: kind }) => kind === "kill") : [];
    return {
      pid: owner.pid,
      processes: new Map((processes as KillRecipe[]).map(({ pid, start }) => [pid, start])),
      who: `process ${owner.pid}`,
      names: new Set(names),
      // The journal is here, whatever its owner calls it.
      paths: [this.#directory.path, ...paths],
      // A bind mount or a link shows them by other paths, too.
      directories: [this.#inode, ...directories],
    };
  }
}
