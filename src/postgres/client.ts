// The clients that programs bring, by what they can do: those of `pg` and what
// behaves like them, and `postgres` (postgres.js).

import { resourceError } from "../errors/resources.ts";

/** A client or pool of `pg`, or what behaves like it. */
export interface QueryingClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A client of `postgres` (postgres.js). */
export interface UnsafeClient {
  unsafe(text: string, values?: never[]): PromiseLike<unknown>;
}

export type PostgresClient = QueryingClient | UnsafeClient;

export type Row = Readonly<Record<string, unknown>>;

/** Sends one statement. @param limit in milliseconds, after which a pool is to drop the connection */
export type Query = (text: string, values: readonly unknown[] | undefined, limit?: number) => Promise<Row[]>;

export function isUnsafeClient(client: PostgresClient): client is UnsafeClient {
  return "unsafe" in client;
}

export function queryOf(client: unknown): Query {
  const given = client as PostgresClient | null | undefined;
  if ((typeof given === "object" || typeof given === "function") && given !== null) {
    if (isUnsafeClient(given)) {
      return async (text, values) => [...((await given.unsafe(text, values as never[])) as Row[])];
    }
    if (typeof given.query === "function") {
      // A pool of `pg` drops a connection whose query has timed out; other clients may not know the option.
      const isPool = "totalCount" in given;
      return async (text, values, limit) => {
        const config = { text, values, query_timeout: limit } as unknown as string;
        const { rows } = await (isPool && limit !== undefined
          ? given.query(config)
          : given.query(text, values as unknown[] | undefined));
        return rows as Row[];
      };
    }
  }
  throw resourceError("ERR_ATEXIT_OPTION", "The client", client, "a Pool of pg, or a client of postgres (postgres.js)");
}
