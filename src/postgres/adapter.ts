// One owner in PostgreSQL: each call is one statement.

import { leaseError } from "../errors/lease.ts";
import type { Adapter, Answer, Asked } from "../lease/adapter.ts";
import type { OwnerRecord } from "../lease/engine.ts";
import type { RecipeStore } from "../lease/recipe-store.ts";
import type { Query, Row } from "./client.ts";
import { PostgresRecipes } from "./recipes.ts";
import type { Releases } from "./releases.ts";

/** Errors after which asking again brings the same. Source: PostgreSQL, Appendix A. */
const PERMANENT: Readonly<Record<string, string>> = {
  "42883": 'Apply the schema first: migrate(client), or atexit migrate --from "$DATABASE_URL".',
  "3F000": 'Apply the schema first: migrate(client), or atexit migrate --from "$DATABASE_URL".',
  "42501":
    "Let this user take leases and plant: migrate(client, { grant: [user] }), or carry recipes out: { keepers: [user] }, as the owner of the schema.",
  "28P01": "Look at the address that the client was given.",
  "28000": "Look at the address that the client was given.",
  "3D000": "Look at the address that the client was given.",
};

export class PostgresAdapter implements Adapter {
  readonly #query: Query;
  readonly #owner: OwnerRecord;
  readonly #releases: Releases | undefined;
  readonly #notify: boolean;
  readonly recipes: RecipeStore;
  #epoch = 0;

  constructor(query: Query, owner: OwnerRecord, releases: Releases | undefined, notify: boolean) {
    this.#query = query;
    this.#owner = owner;
    this.#releases = releases;
    this.#notify = notify;
    this.recipes = new PostgresRecipes(owner.id, (call, values, limit) => this.#rows(call, values, limit));
  }

  async begin(limit: number): Promise<number | "dead"> {
    const { id, ttl, who } = this.#owner;
    const { granted } = await this.#call(
      "begin($1, $2, $3::text::jsonb) as granted",
      [id, ttl, JSON.stringify(who)],
      limit,
    );
    return (granted as number | null) ?? "dead";
  }

  async beat(limit: number): Promise<number | "dead"> {
    const { granted } = await this.#call("beat($1) as granted", [this.#owner.id], limit);
    return (granted as number | null) ?? "dead";
  }

  async acquire({ name, data, stoodStill, observedOnly }: Asked, limit: number): Promise<Answer> {
    const text = data === undefined ? null : JSON.stringify(data);
    const values = [this.#owner.id, this.#epoch, name, text, stoodStill ?? null, observedOnly];
    const row = await this.#call("acquire($1, $2, $3, $4::text::jsonb, $5, $6)", values, limit);
    switch (row["answer"]) {
      case "taken":
        return { token: BigInt(row["token"] as string) };
      case "held":
        return heldIn(row);
      case "dead":
        return "dead";
      default:
        return "refused";
    }
  }

  async cancel(name: string, limit: number): Promise<boolean> {
    const row = await this.#call("cancel($1, $2, $3)", [this.#owner.id, this.#epoch, name], limit);
    this.#epoch = Math.max(this.#epoch, row["epoch"] as number);
    return row["done"] as boolean;
  }

  async release(name: string, token: bigint, limit: number): Promise<void> {
    await this.#call("release($1, $2, $3, $4)", [this.#owner.id, name, String(token), this.#notify], limit);
  }

  async finish(limit: number): Promise<void> {
    await this.#call("finish($1, $2)", [this.#owner.id, this.#notify], limit);
  }

  watch(name: string, changed: () => void): () => void {
    return this.#releases?.watch(name, changed) ?? (() => {});
  }

  async #call(call: string, values: readonly unknown[], limit: number): Promise<Row> {
    const [row = {}] = await this.#rows(call, values, limit);
    return row;
  }

  async #rows(call: string, values: readonly unknown[], limit: number): Promise<Row[]> {
    try {
      return await this.#query(`select * from atexit.${call}`, values, limit);
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      const advice = PERMANENT[code];
      if (advice === undefined) throw error;
      const isPermanent = true;
      throw Object.assign(leaseError("ERR_ATEXIT_ENGINE", "PostgreSQL", message, advice), {
        cause: error,
        isPermanent,
      });
    }
  }
}

function heldIn(row: Row): Answer {
  const who = (row["who"] ?? {}) as { host?: string; pid?: number; program?: string };
  const since = row["since"] as number | null;
  return {
    holder: {
      host: who.host,
      pid: who.pid,
      program: who.program,
      since: since === null ? undefined : new Date(since),
      data: row["data"] ?? undefined,
    },
    freeIn: (row["free_in"] as number | null) ?? undefined,
    mark: row["mark"] as string,
    ttl: row["ttl"] as number,
  };
}
