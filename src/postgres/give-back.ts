// What a guard calls in a process of its own when its owner was killed: gives the
// owner's leases back, and carries out what it has planted. It has the environment
// that the owner had, and finds the server and the client there.

import { carryOutAfter } from "../keeper/guard-run.ts";
import { persist } from "../lease/persist.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { PostgresAdapter } from "./adapter.ts";
import type { Query, Row } from "./client.ts";

/** What stands in the journal: the name of a variable, and no address. */
export interface GiveBackArguments {
  readonly env: string;
  /** The client's module, a file: URL, and which of the two it is. */
  readonly client: string;
  readonly isPg: boolean;
  readonly owner: string;
}

export interface CarryOutArguments extends GiveBackArguments {
  /** Where the actions are: file: URLs. */
  readonly modules: readonly string[];
}

interface PgClient {
  connect(): Promise<void>;
  query(query: object): Promise<{ rows: Row[] }>;
  end(): Promise<void>;
}

type Sql = { unsafe(text: string, values: unknown): Promise<Row[]> };

/** How long one attempt may take, in milliseconds. */
const LIMIT = 2_000;
/** How long a keeper waits for this process, where it dies, in milliseconds. */
const TTL = 15_000;

const FINISH = "select atexit.finish($1, true)";

export async function giveBack({ owner, ...where }: GiveBackArguments): Promise<void> {
  await persist(() => withQuery(where, (query) => query(FINISH, [owner])));
}

export async function carryOut({ owner, modules, ...where }: CarryOutArguments): Promise<void> {
  // An owner that has left recipes is dead from then on.
  await persist(() => withQuery(where, (query) => query(FINISH, [owner])));
  const who = { host: builtin("os").hostname(), pid: process.pid, program: "a guard", since: new Date().toISOString() };
  await withQuery(where, (query) => {
    const adapter = new PostgresAdapter(query, { id: crypto.randomUUID(), ttl: TTL, who }, undefined, false);
    return carryOutAfter(owner, adapter, modules);
  });
}

/** Does nothing in a later start, which is not given the owner's environment: the leases are free by time. */
async function withQuery(
  { env, client, isPg }: Omit<GiveBackArguments, "owner">,
  body: (query: Query) => Promise<unknown>,
): Promise<void> {
  const url = process.env[env];
  if (url === undefined) return;
  const module = (await import(client)) as Record<string, unknown>;
  const exported = module["default"] ?? module;
  await (isPg ? withPg(exported, url, body) : withPostgres(exported, url, body));
}

async function withPg(exported: unknown, url: string, body: (query: Query) => Promise<unknown>): Promise<void> {
  const { Client } = exported as { Client: new (options: object) => PgClient };
  const client = new Client({ connectionString: url, connectionTimeoutMillis: LIMIT, query_timeout: LIMIT });
  try {
    await client.connect();
    await body(async (text, values) => (await client.query({ text, values })).rows);
  } finally {
    client.end().catch(() => {}); // the process ends with it
  }
}

async function withPostgres(exported: unknown, url: string, body: (query: Query) => Promise<unknown>): Promise<void> {
  const sql = (exported as (url: string, options: object) => Sql)(url, { max: 1, connect_timeout: LIMIT / 1_000 });
  await body((text, values) => sql.unsafe(text, values));
}
