// What a guard calls in a process of its own when its owner was killed: gives the
// owner's leases back. It has the environment that the owner had, and finds the
// server and the client there.

import { persist } from "../lease/persist.ts";
import { process } from "../platform/process.ts";

/** What stands in the journal: the name of a variable, and no address. */
export interface GiveBackArguments {
  readonly env: string;
  /** The client's module, a file: URL, and which of the two it is. */
  readonly client: string;
  readonly isPg: boolean;
  readonly owner: string;
}

interface PgClient {
  connect(): Promise<void>;
  query(text: string, values: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

type Sql = { unsafe(text: string, values: unknown[]): Promise<unknown> };

/** How long one attempt may take, in milliseconds. */
const LIMIT = 2_000;

const FINISH = "select atexit.finish($1, true)";

export async function giveBack({ env, client, isPg, owner }: GiveBackArguments): Promise<void> {
  const url = process.env[env];
  // A later start, which is not given the owner's environment: the leases are free by time.
  if (url === undefined) return;
  const module = (await import(client)) as Record<string, unknown>;
  const exported = module["default"] ?? module;
  await persist(() => (isPg ? finishByPg(exported, url, owner) : finishByPostgres(exported, url, owner)));
}

async function finishByPg(exported: unknown, url: string, owner: string): Promise<void> {
  const { Client } = exported as { Client: new (options: object) => PgClient };
  const client = new Client({ connectionString: url, connectionTimeoutMillis: LIMIT, query_timeout: LIMIT });
  try {
    await client.connect();
    await client.query(FINISH, [owner]);
  } finally {
    client.end().catch(() => {}); // the process ends with it
  }
}

async function finishByPostgres(exported: unknown, url: string, owner: string): Promise<void> {
  const sql = (exported as (url: string, options: object) => Sql)(url, { max: 1, connect_timeout: LIMIT / 1_000 });
  await sql.unsafe(FINISH, [owner]);
}
