// The public API of `atexit/postgres`: leases in a PostgreSQL database, with a
// client that the program brings.

import { beginAt, blameCaller } from "../errors/define-errors.ts";
import { resourceError } from "../errors/resources.ts";
import { type Engine, type EngineOptions, forEngines } from "../lease/index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { packageFile } from "../platform/package-files.ts";
import { process } from "../platform/process.ts";
import { PostgresAdapter } from "./adapter.ts";
import { isUnsafeClient, type PostgresClient, type QueryingClient, queryOf, type UnsafeClient } from "./client.ts";
import type { GiveBackArguments } from "./give-back.ts";
import { type ListeningClient, Releases } from "./releases.ts";
import { grantTo, grantToKeeper, SCHEMA } from "./schema.ts";

export type { Engine, EngineOptions, ListeningClient, PostgresClient, QueryingClient, UnsafeClient };

/** Options of leases in PostgreSQL, beside those of every engine. */
export interface PostgresOptions extends EngineOptions {
  /**
   * The environment variable that has the server's address, such as "DATABASE_URL".
   * With it the guard gives back what a killed process held; the address itself is
   * never written down.
   */
  env?: string;
  /** The client's module for the guard, as a file: URL; by default `pg` or `postgres` as the main script finds it. */
  module?: string | URL;
  /**
   * Makes a client of its own, not yet connected, that hears of releases: then the
   * next holder has a lease in milliseconds, and not after half a second. Not through
   * a pooler, which knows no LISTEN.
   */
  listen?: () => ListeningClient;
  /** Whether those who listen are told of releases; NOTIFY makes commits wait for each other. True by default. */
  notify?: boolean;
}

/**
 * Leases in a PostgreSQL database, whose schema {@link migrate} has applied. One of
 * them is one owner: make one for a process.
 *
 * Give it a pool, so that a heartbeat never queues behind the program's own
 * queries. A transaction pooler in between is no harm.
 *
 * @param client a `Pool` of `pg`, a client of `postgres`, or what has the same `query(text, values)`
 * @param options times in milliseconds
 * @throws a `TypeError` with the code `ERR_ATEXIT_OPTION`; a `RangeError` with the code `ERR_ATEXIT_TIME`
 * @example
 * ```ts
 * import { postgres } from "atexit/postgres";
 * import pg from "pg";
 *
 * const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, allowExitOnIdle: true });
 * const engine = postgres(pool, { env: "DATABASE_URL" });
 * ```
 */
export function postgres(client: PostgresClient, options: PostgresOptions = {}): Engine {
  return blameCaller(postgres, () => {
    const query = queryOf(client);
    const { env, listen, notify = true } = options;
    const module = env === undefined ? undefined : moduleOf(client, options.module);
    const releases = listen && new Releases(listen);
    const guarded = (id: string): GiveBackArguments | undefined => {
      if (env === undefined || module === undefined || process.env[env] === undefined) return undefined;
      return { env, client: module, isPg: !isUnsafeClient(client), owner: id };
    };
    return forEngines.make(
      {
        name: "PostgreSQL",
        connect: (owner) => new PostgresAdapter(query, owner, releases, notify),
        giveBack: ({ id }) => {
          const args = guarded(id);
          return (
            args && { module: packageFile("give back to PostgreSQL"), exportName: "giveBack", args: [{ ...args }] }
          );
        },
        carryOut: ({ id }, modules) => {
          const args = guarded(id);
          if (args === undefined) return undefined;
          return {
            module: packageFile("give back to PostgreSQL"),
            exportName: "carryOut",
            args: [{ ...args, modules: [...modules] }],
          };
        },
      },
      options,
    );
  });
}

/**
 * Applies the schema `atexit`, or brings it up to date. It may be called again, and
 * by several processes at once.
 *
 * @param client as {@link postgres} takes it, of a user who may create schemas
 * @param options with `grant`, the roles that may take leases and plant recipes, and
 *   with `keepers`, those that may carry recipes out; the owner always may
 * @throws (rejects with) what the server says
 * @example
 * ```ts
 * import { migrate } from "atexit/postgres";
 * import pg from "pg";
 *
 * await migrate(new pg.Pool({ connectionString: process.env.ADMIN_URL }), { grant: ["app"] });
 * ```
 */
export async function migrate(
  client: PostgresClient,
  options: { grant?: readonly string[]; keepers?: readonly string[] } = {},
): Promise<void> {
  const { grant = [], keepers = [] } = options;
  try {
    const text = [SCHEMA, ...grant.map(grantTo), ...keepers.map(grantToKeeper)].join("\n");
    await queryOf(client)(text, undefined);
  } catch (error) {
    throw beginAt(migrate, error);
  }
}

/** @throws a `TypeError` where the guard could not find the client either */
function moduleOf(client: PostgresClient, given: string | URL | undefined): string {
  if (given !== undefined) return String(given);
  const name = isUnsafeClient(client) ? "postgres" : "pg";
  const { pathToFileURL } = builtin("url");
  for (const from of [process.argv[1], `${process.cwd()}/`]) {
    if (from === undefined) continue;
    try {
      return pathToFileURL(builtin("module").createRequire(pathToFileURL(from)).resolve(name)).href;
    } catch {
      // There may be one from the other place.
    }
  }
  throw resourceError(
    "ERR_ATEXIT_OPTION",
    "module",
    given,
    `import.meta.resolve("${name}"): the guard does not find it`,
  );
}
