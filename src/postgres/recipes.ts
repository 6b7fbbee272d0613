// The recipes of one owner in PostgreSQL, and those that it carries out for others.

import type { Claim, Claimable, PlantedRecipe, RecipeStore, Settled, Step, Suspect } from "../lease/recipe-store.ts";
import type { Row } from "./client.ts";

export class PostgresRecipes implements RecipeStore {
  readonly #owner: string;
  readonly #call: (call: string, values: readonly unknown[], limit: number) => Promise<Row[]>;

  /** @param call calls a function of the schema */
  constructor(owner: string, call: (call: string, values: readonly unknown[], limit: number) => Promise<Row[]>) {
    this.#owner = owner;
    this.#call = call;
  }

  async plant({ seq, action, args, signature }: PlantedRecipe, limit: number): Promise<"planted" | "dead" | "full"> {
    const values = [this.#owner, seq, action, args, signature ?? null];
    const [row] = await this.#call("plant($1, $2, $3, $4, $5) as answer", values, limit);
    return row?.["answer"] as "planted" | "dead" | "full";
  }

  async settle(seq: number, isConfirmed: boolean, limit: number): Promise<void> {
    await this.#call("settle($1, $2, $3)", [this.#owner, seq, isConfirmed], limit);
  }

  async suspects(isAll: boolean, limit: number): Promise<Suspect[]> {
    return (await this.#call("suspects($1, $2)", [this.#owner, isAll], limit)) as unknown as Suspect[];
  }

  async claim({ owner, mark }: Claimable, limit: number): Promise<Claim | undefined> {
    const [row] = await this.#call("claim($1, $2, $3) as claim", [this.#owner, owner, mark ?? null], limit);
    const claim = row?.["claim"] as number | null | undefined;
    return claim === null || claim === undefined ? undefined : { owner, claim: String(claim) };
  }

  async step(
    { owner, claim }: Claim,
    settled: Settled | undefined,
    passOver: readonly number[],
    limit: number,
  ): Promise<Step> {
    const { seq, outcome, error } = settled ?? {};
    const values = [this.#owner, owner, claim, seq ?? null, outcome ?? null, error ?? null, `{${passOver.join(",")}}`];
    const [row = {}] = await this.#call("step($1, $2, $3, $4, $5, $6, $7)", values, limit);
    if (row["answer"] !== "next") return row["answer"] as "wait" | "over" | "lost";
    return {
      seq: row["seq"] as number,
      action: row["action"] as string,
      args: row["args"] as string,
      signature: (row["signature"] as string | null) ?? undefined,
      planter: row["planter"] as string,
      tries: row["tries"] as number,
    };
  }
}
