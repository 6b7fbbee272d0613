// What the command does with leases: takes one for `atexit run`, lists those of an
// engine, and applies PostgreSQL's schema. The engine is where --from says.

import type { QueryingClient } from "../postgres/index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { printable, printableJson } from "../platform/printable.ts";
import { etcd, listLeases } from "../etcd/index.ts";
import { type Engine, type EngineOptions, type Lease, lease, LeaseHeldError } from "../lease/index.ts";
import { migrate, postgres } from "../postgres/index.ts";
import { EXIT, optionsIn, refuseOperands, UsageError } from "./arguments.ts";
import { migrateOptions, psOptions } from "./options.ts";
import { ageOf, painter, say } from "./terminal.ts";

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
interface Opened {
  readonly engine: Engine;
  readonly list: () => Promise<Row[]>;
  readonly close: () => Promise<void>;
  readonly client?: QueryingClient;
}

/** Takes leases for `atexit run`; ends the process with 75 where one is held or lost. */
export async function takeLeases(names: readonly string[], wait: number, options: EngineOptions): Promise<bigint> {
  const { engine } = open(addressIn(undefined), options);
  let token = 0n;
  for (const name of names) {
    let held: Lease;
    try {
      held = await lease(engine, name, { wait });
    } catch (error) {
      if (!(error instanceof LeaseHeldError)) throw error;
      process.stderr.write(`atexit: ${error.message.replace("with { wait }", "with --wait 30s")}\n`);
      process.exit(EXIT.held);
    }
    ({ token } = held);
    held.signal.addEventListener("abort", () => {
      const { reason, message } = held.signal.reason as { reason: string; message: string };
      if (reason === "released") return;
      process.stderr.write(`atexit: ${message}\n`);
      process.exit(EXIT.held);
    });
  }
  return token;
}

export async function leasesCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, psOptions);
  refuseOperands(positionals);
  const { list, close } = open(addressIn(values.from), {});
  try {
    const rows = await list();
    if (values.json === true) return say(printableJson(rows, 2));
    if (rows.length === 0) return say("Nobody holds a lease there.");
    const paint = painter(process.stdout);
    for (const { name, token, since, who, isOver } of rows) {
      const over = isOver ? paint("yellow", "  (silent for too long: the next who asks has it)") : "";
      say(`${paint("bold", printable(name))}  token ${token}  ${ageOf(since)}${over}`);
      say(`    process ${who.pid} on ${printable(who.host ?? "?")} (${printable(who.program ?? "?")})`);
    }
  } finally {
    await close();
  }
}

export async function migrateCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, migrateOptions);
  refuseOperands(positionals);
  const { client, close } = open(addressIn(values.from), {});
  try {
    if (client === undefined) throw new UsageError("etcd takes no schema: atexit migrate is for PostgreSQL");
    await migrate(client, { grant: values.grant ?? [] });
    say("The schema atexit is up to date.");
  } finally {
    await close();
  }
}

function addressIn(from: string | undefined): string {
  const url = from ?? process.env[FROM] ?? "";
  if (url !== "") return url;
  throw new UsageError(`--from takes where the leases are, such as "$DATABASE_URL"; ${FROM} does as well`);
}

function open(url: string, options: EngineOptions): Opened {
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
