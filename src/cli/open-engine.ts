// Where --from says that an engine is: opens it, with the client that stands beside
// the program or beside this command.

import { etcd, listLeases } from "../etcd/index.ts";
import type { Engine, EngineOptions } from "../lease/index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { printable } from "../platform/printable.ts";
import { postgres, type QueryingClient } from "../postgres/index.ts";
import { UsageError } from "./arguments.ts";

/** The variable that says where leases are, for this command and its guard. */
const FROM = "ATEXIT_FROM";

/** One row of `atexit ps --from`. */
interface Row {
  readonly name: string;
  readonly token: string;
  readonly since: string;
  readonly who: { readonly host?: string; readonly pid?: number; readonly program?: string };
  readonly data: unknown;
  /** Whether its holder has been silent for too long: whoever asks next has it. */
  readonly isOver: boolean;
}

/** An engine that leases are taken from, and how its connections end. */
export interface Opened {
  readonly engine: Engine;
  readonly list: () => Promise<Row[]>;
  readonly close: () => Promise<void>;
  readonly client?: QueryingClient;
}

/** @throws a {@link UsageError} where nothing says where */
export function addressIn(from: string | undefined): string {
  const url = from ?? process.env[FROM] ?? "";
  if (url !== "") return url;
  throw new UsageError(`--from takes where the leases are, such as "$DATABASE_URL"; ${FROM} does as well`);
}

export function openEngine(url: string, options: EngineOptions): Opened {
  if (/^postgres(?:ql)?:\/\//.test(url)) {
    const pool = new (pgModule().Pool)({
      connectionString: url,
      allowExitOnIdle: true,
      connectionTimeoutMillis: 5_000,
    });
    pool.on("error", () => {}); // the next query says it
    return {
      engine: postgres(pool, { ...options, env: FROM, module: pgPath() }),
      client: pool,
      close: () => pool.end(),
      async list() {
        const { rows } = await pool.query("select *, since::text from atexit.leases()");
        return (rows as (Omit<Row, "isOver"> & { is_over: boolean })[]).map(
          ({ name, token, since, who, data, is_over: isOver }) => ({ name, token, since, who, data, isOver }),
        );
      },
    };
  }
  const endpoints = url.split(",");
  if (!endpoints.every((one) => /^https?:\/\//.test(one))) {
    throw new UsageError(`--from takes postgres://… or http://… of etcd, and not ${printable(url).split("@").at(-1)}`);
  }
  return {
    engine: etcd(endpoints, { ...options, env: FROM }),
    close: async () => {},
    list: async () => (await listLeases(endpoints)).map((row) => ({ ...row, isOver: false })),
  };
}

interface PgModule {
  readonly Pool: new (options: object) => QueryingClient & {
    on(event: "error", listener: () => void): void;
    end(): Promise<void>;
  };
}

function pgModule(): PgModule {
  return builtin("module").createRequire(import.meta.url)(builtin("url").fileURLToPath(pgPath())) as PgModule;
}

/** The client that stands beside the program that is run, or beside this command. */
function pgPath(): string {
  const { pathToFileURL } = builtin("url");
  for (const from of [`${process.cwd()}/`, process.argv[1] ?? "/"]) {
    try {
      return pathToFileURL(builtin("module").createRequire(pathToFileURL(from)).resolve("pg")).href;
    } catch {
      // There may be one from the other place.
    }
  }
  throw new UsageError("PostgreSQL takes the client pg: npm install pg, here or beside atexit");
}
