// Lists the pending recipes and their owners, read from the journals as they are.

import { builtin } from "../../platform/node-builtins.ts";
import { lifeOfHolder } from "./claim.ts";
import { parseName } from "../journal/file-name.ts";
import type { Life } from "../../platform/process-identity.ts";
import { readJournal } from "../journal/reader.ts";
import { type Recipe, titleOf } from "../recipes/recipe.ts";

/** One process, or one of its worker threads, with recipes. */
export interface PendingOwner {
  readonly pid: number;
  readonly life: Life;
  readonly program: string;
  /** ISO 8601. */
  readonly since: string;
  /** The recipes in the order in which they would be carried out. */
  readonly pending: readonly { readonly title: string; readonly recipe: Recipe }[];
}

/** @param directory where the journals are; none where it cannot be read */
export function pendingIn(directory: string): PendingOwner[] {
  const { join } = builtin("path");
  return builtin("fs")
    .readdirSync(directory)
    .sort()
    .flatMap((file) => {
      const name = parseName(file);
      if (name?.kind !== "journal") return [];
      const life = lifeOfHolder(directory, name);
      const read = readJournal(join(directory, file), join(directory, `${name.journal}.next`));
      if (read === "empty" || "refused" in read) return [];
      const { owner, program, since } = read.header;
      const pending = [...read.pending].reverse().map(({ recipe }) => ({ title: titleOf(recipe), recipe }));
      return [{ pid: owner.pid, life, program, since, pending }];
    });
}
