// What the journals of live owners name, as far as it concerns the recipes of dead
// ones: the living come before the dead.
//
// An owner writes a recipe down first, and then looks for claims that are about the
// same thing, and waits for their end. Who carries journals out claims them first,
// and then reads what the living have written. So one of the two sees the other.

import { builtin, now } from "../../platform/node-builtins.ts";
import { hasSameView, type Owner } from "../../platform/process-identity.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { parseName } from "../journal/file-name.ts";
import { type ReadJournal, readJournal } from "../journal/reader.ts";
import { namesOf, type Recipe } from "../recipes/recipe.ts";
import { lifeOfHolder } from "./claim.ts";

/** How long what was read counts, in milliseconds: an owner waits longer than that for the end of a claim. */
const FRESH = 1_000;

/** The part of a claimed journal that counts here. */
type Claimed = Pick<ReadJournal, "header" | "pending">;

export class LivingOwners {
  readonly #directory: JournalDirectory;
  readonly #claimed: readonly Claimed[];
  /** Who has registered what the claimed recipes name. */
  #who = new Map<string, string>();
  /** Where live owners have something, as they have written it. */
  #written: { path: string; who: string }[] = [];
  /** The same, with all links followed. */
  #places: { path: string; who: string }[] | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  /** @param claimed journals that this process has claimed already */
  constructor(directory: JournalDirectory, claimed: readonly Claimed[]) {
    this.#directory = directory;
    this.#claimed = claimed;
  }

  /** Returns who has registered the same thing and is alive, as a sentence. */
  whoHas(recipe: Recipe, owner: Owner): string | undefined {
    this.#read();
    const name = namesOf(recipe, owner).find((each) => this.#who.has(each));
    return name === undefined ? undefined : `${this.#who.get(name)}, which is alive, has registered the same`;
  }

  /** Returns who has registered something in a directory and is alive, as a sentence. */
  whoIsIn(directory: string): string | undefined {
    this.#read();
    this.#places ??= this.#written.map(({ path, who }) => ({ path: realPathOf(path), who }));
    const found = this.#places.find(({ path }) => path === directory || path.startsWith(`${directory}/`));
    return found === undefined ? undefined : `${found.who}, which is alive, has ${found.path} in it`;
  }

  #read(): void {
    if (now() - this.#readAt < FRESH) return;
    this.#readAt = now();
    this.#who = new Map();
    this.#written = [];
    this.#places = undefined;
    const concern = new Set(
      this.#claimed.flatMap(({ header, pending }) => pending.flatMap(({ recipe }) => namesOf(recipe, header.owner))),
    );
    for (const file of builtin("fs").readdirSync(this.#directory.path)) {
      const name = parseName(file);
      if (name?.kind !== "journal" || lifeOfHolder(this.#directory, name) === "dead") continue;
      const read = readJournal(this.#directory, name);
      if (typeof read !== "string" && "header" in read) this.#note(read, concern);
    }
  }

  #note({ header: { owner }, pending }: ReadJournal, concern: ReadonlySet<string>): void {
    const who = `process ${owner.pid}`;
    const isHere = hasSameView(owner);
    if (isHere) this.#written.push({ path: this.#directory.path, who });
    for (const { recipe } of pending) {
      for (const name of namesOf(recipe, owner)) if (concern.has(name)) this.#who.set(name, who);
      if (isHere && "path" in recipe) this.#written.push({ path: recipe.path, who });
    }
  }
}

/** Returns the path of an entry with all links of its directory followed. */
function realPathOf(path: string): string {
  const { basename, dirname, join } = builtin("path");
  try {
    return join(builtin("fs").realpathSync.native(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
