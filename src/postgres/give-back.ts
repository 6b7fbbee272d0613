// What a guard calls in a process of its own when its owner was killed: gives the
// owner's leases back. It has the environment that the owner had, and finds the
// server and the client there.

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

type Sql = { unsafe(text: string, values: unknown[]): Promise<unknown>; end(): Promise<void> };

const FINISH = "select atexit.finish($1, true)";

export async function giveBack({ env, client, isPg, owner }: GiveBackArguments): Promise<void> {
  const url = process.env[env];
  // A later start, which is not given the owner's environment: the leases are free by time.
  if (url === undefined) return;
  const module = (await import(client)) as Record<string, unknown>;
  const exported = module["default"] ?? module;
  if (isPg) {
    const { Client } = exported as { Client: new (options: object) => PgClient };
    const pg = new Client({ connectionString: url });
    await pg.connect();
    await pg.query(FINISH, [owner]);
    await pg.end();
  } else {
    const sql = (exported as (url: string, options: object) => Sql)(url, { max: 1 });
    await sql.unsafe(FINISH, [owner]);
    await sql.end();
  }
}
