// Lists the pending recipes and their owners, read from the journals as they are.

import { builtin } from "../../platform/node-builtins.ts";
import { lifeOfHolder } from "./claim.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { parseName } from "../journal/file-name.ts";
import type { Life } from "../../platform/process-identity.ts";
import { readJournal } from "../journal/reader.ts";
import type { LoggedRecipe } from "./replayed.ts";
import { withoutEnvironment } from "./replay.ts";
import { titleOf } from "../recipes/recipe.ts";

/** One process, or one of its worker threads, with recipes. */
export interface PendingOwner {
  readonly pid: number;
  readonly life: Life;
  readonly program: string;
  /** ISO 8601. */
  readonly since: string;
  /** The recipes in the order in which they would be carried out. */
  readonly pending: readonly { readonly title: string; readonly recipe: LoggedRecipe }[];
}

export function pendingIn(directory: JournalDirectory): PendingOwner[] {
  return builtin("fs")
    .readdirSync(directory.path)
    .sort()
    .flatMap((file) => {
      const name = parseName(file);
      if (name?.kind !== "journal") return [];
      const life = lifeOfHolder(directory, name);
      const read = readJournal(directory, name);
      if (typeof read === "string" || "refused" in read) return [];
      const { owner, program, since } = read.header;
      const pending = [...read.pending].reverse().map(({ recipe }) => ({
        title: titleOf(recipe),
        recipe: withoutEnvironment(recipe),
      }));
      return [{ pid: owner.pid, life, program, since, pending }];
    });
}
