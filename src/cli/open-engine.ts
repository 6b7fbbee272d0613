// Where --from says that an engine is: opens it, with the client that stands beside
// the program or beside this command.

import { etcd, listLeases, listRecipes, settleLetter } from "../etcd/index.ts";
import type { Engine, EngineOptions } from "../lease/index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { printable } from "../platform/printable.ts";
import { postgres, type QueryingClient } from "../postgres/index.ts";
import { UsageError } from "./arguments.ts";

/** The variable that says where leases are, for this command and its guard. */
export const FROM = "ATEXIT_FROM";

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

/** A recipe, or a dead letter. */
interface RecipeRow {
  readonly id: string;
  readonly action: string;
  /** JSON text. */
  readonly args: string;
  readonly isDeadLetter: boolean;
  /** By the engine's word, or silent for two of its ttl by the engine's clock. */
  readonly isOwnerDead: boolean;
  /** Whether a keeper has it in its hands. */
  readonly isKept: boolean;
  readonly tries: number;
  readonly error?: string | undefined;
  readonly plantedAt: string;
  /** The engine's user who has planted it, where the engine tells. */
  readonly planter?: string | undefined;
  readonly who: Row["who"];
}

/** An engine that leases are taken from, and how its connections end. */
export interface Opened {
  readonly engine: Engine;
  readonly list: () => Promise<Row[]>;
  readonly recipes: () => Promise<RecipeRow[]>;
  /** Has a dead letter tried again, or forgets it. Resolves with whether there was one. */
  readonly settleDeadLetter: (id: string, isRetry: boolean) => Promise<boolean>;
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
      async recipes() {
        const { rows } = await pool.query("select *, planted_at::text from atexit.recipes()");
        return (rows as PostgresRecipe[]).map(({ owner, seq, state, is_dead, keeper, planted_at, error, ...row }) => ({
          ...row,
          id: `${owner}/${seq}`,
          isDeadLetter: state === "dead letter",
          isOwnerDead: is_dead,
          isKept: keeper !== null,
          error: error ?? undefined,
          plantedAt: planted_at,
        }));
      },
      async settleDeadLetter(id, isRetry) {
        const [owner, seq] = id.split("/");
        const text = "select atexit.settle_dead_letter($1, $2, $3) as was_there";
        const { rows } = await pool.query(text, [owner, seq, isRetry]);
        return (rows[0] as { was_there: boolean }).was_there;
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
    recipes: () => listRecipes(endpoints),
    settleDeadLetter: (id, isRetry) => settleLetter(endpoints, id, isRetry),
  };
}

interface PostgresRecipe {
  readonly owner: string;
  readonly seq: number;
  readonly action: string;
  readonly args: string;
  readonly planter: string;
  readonly state: string;
  readonly tries: number;
  readonly error: string | null;
  readonly planted_at: string;
  readonly is_dead: boolean;
  readonly keeper: unknown;
  readonly who: Row["who"];
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
