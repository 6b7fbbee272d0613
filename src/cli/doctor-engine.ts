// atexit doctor --from URL: what an engine can and cannot cover, found out by trying.

import { type Lease, lease } from "../lease/index.ts";
import { printable } from "../platform/printable.ts";
import { SCHEMA_VERSION } from "../postgres/schema-version.ts";
import { type Check, type Finding, note, ok, problem } from "./finding.ts";
import { addressIn, type Opened, openEngine } from "./open-engine.ts";

/** Milliseconds. */
const LIMIT = 5_000;
/** How long a lease may take, in milliseconds, before a ttl of 15 s leaves little for a slow heartbeat. */
const SLOW = 1_000;

/** What is asked of a PostgreSQL server; each connection of its own. */
interface Connection {
  query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
  release(): void;
}

interface Pool {
  connect(): Promise<Connection>;
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** @throws a {@link UsageError} where that is no address of an engine */
export function engineChecks(from: string): Readonly<Record<string, Check>> {
  const url = addressIn(from);
  const opened = openEngine(url, {});
  const checks = opened.client === undefined ? etcdChecks(url.split(",")) : postgresChecks(opened.client as Pool);
  return { ...checks, "a lease": () => tryLease(opened), keepers: () => findKeepers(opened) };
}

const postgresChecks = (pool: Pool): Readonly<Record<string, Check>> => ({
  server: async () => {
    const { version, replica, user } = await one(
      pool,
      "select current_setting('server_version') as version, pg_is_in_recovery() as replica, current_user as user",
    );
    const found = `PostgreSQL ${String(version)}, as ${String(user)}`;
    if (replica !== true) return ok(found);
    return problem(`${found}, a standby`, "Give the address of the primary: leases are written.");
  },

  schema: async () => {
    const { there } = await one(pool, "select to_regnamespace('atexit') is not null as there");
    const migrate = 'Run atexit migrate --from "$ADMIN_URL", as a user who may create schemas.';
    if (there !== true) return problem("missing", migrate);
    const { function: known } = await one(pool, "select to_regprocedure('atexit.version()')::text as function");
    const rows = known === null ? [] : (await pool.query("select atexit.version() as version")).rows;
    const version = (rows[0]?.["version"] as number | undefined) ?? 1;
    if (version === SCHEMA_VERSION) return ok(`version ${version}`);
    if (version > SCHEMA_VERSION) {
      return note(`version ${version}, and this package has ${SCHEMA_VERSION}`, "Bring this package up to date.");
    }
    return problem(`version ${version}, and this package needs ${SCHEMA_VERSION}`, migrate);
  },

  rights: async () => {
    const { rows } = await pool.query(
      `select p.proname as name, has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute') as may
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'atexit'
       and p.proname in ('begin', 'beat', 'acquire', 'cancel', 'release', 'finish', 'fence') order by 1`,
    );
    const missing = rows.filter(({ may }) => may !== true).map(({ name }) => String(name));
    if (rows.length === 0) return problem("no functions", "See the schema above.");
    if (missing.length === 0) return ok("may take leases");
    return problem(
      `may not call ${missing.join(", ")}`,
      'Run atexit migrate --from "$ADMIN_URL" --grant ROLE, with the role of this user.',
    );
  },

  durability: async () => {
    const settings = await one(
      pool,
      `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
       current_setting('synchronous_standby_names') as names, (select count(*)::int from pg_stat_replication) as standbys`,
    );
    const { fsync, commit, names, standbys } = settings;
    const twice = "a crash can take back who has a lease, and give the same token twice";
    if (fsync !== "on") return problem("fsync is off", `Turn it on: ${twice}.`);
    if (commit === "off") return problem("synchronous_commit is off", `Turn it on for this user: ${twice}.`);
    const isAsynchronous = Number(standbys) > 0 && (names === "" || commit === "local");
    if (!isAsynchronous) return ok("what is granted has been written down");
    return note(
      `${String(standbys)} standby servers follow asynchronously`,
      "A failover can lose the last commits: two holders, perhaps with one token. Set synchronous_standby_names, or fence in a database that fails over with the leases.",
    );
  },

  "connection pooler": () => findPooler(pool),
});

/**
 * Of two clients that are connected at once, each has a server process for itself,
 * unless a pooler gives them one by the transaction.
 */
async function findPooler(pool: Pool): Promise<Finding> {
  const pid = async (connection: Connection) =>
    (await connection.query("select pg_backend_pid() as pid")).rows[0]?.["pid"];
  const [a, b] = [await pool.connect(), await pool.connect()];
  const seen: [a: unknown[], b: unknown[]] = [[], []];
  try {
    for (const [holding, asking] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const clients = [a, b] as const;
      await clients[holding].query("begin");
      seen[holding].push(await pid(clients[holding]));
      const other = withinLimit(pid(clients[asking]));
      seen[asking].push(await other);
      await clients[holding].query("commit");
      // The process that became free last is given to the next who asks.
      seen[asking].push(await pid(clients[asking]));
    }
  } finally {
    a.release();
    b.release();
  }
  const isShared = seen[0].some((one) => one !== undefined && seen[1].includes(one));
  const changes = seen.some((pids) => new Set(pids.filter((one) => one !== undefined)).size > 1);
  if (!isShared && !changes) return ok("none, or one that gives each client a connection of its own");
  return note(
    "one that shares connections by the transaction",
    "Leases are right through it. LISTEN does not come through: hand-over takes up to half a second unless `listen` has the server's own address. Session advisory locks are not safe through it.",
  );
}

/** A pooler with one server connection has the second client wait for the first. */
async function withinLimit<T>(answer: Promise<T>): Promise<T | undefined> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, LIMIT / 10));
  answer.catch(() => {});
  return Promise.race([answer, late]);
}

const etcdChecks = (endpoints: readonly string[]): Readonly<Record<string, Check>> => ({
  members: async () => {
    const answers = await Promise.all(endpoints.map((endpoint) => ask(endpoint, "maintenance/status")));
    const away = endpoints.filter((_, at) => answers[at] === undefined);
    const answered = answers.filter((answer) => answer !== undefined);
    if (answered.length === 0) {
      return problem(`none of ${endpoints.length} answers`, "See that they run, and that --from has their addresses.");
    }
    const version = [...new Set(answered.map((answer) => String(answer["version"])))].join(" and ");
    const leaders = new Set(answered.map((answer) => answer["leader"] ?? "0"));
    if (leaders.has("0")) return problem("a member has no leader", "More than half of the members must run.");
    if (leaders.size > 1) return problem("members follow different leaders", "--from names members of two clusters.");
    const found = `${answered.length} of ${endpoints.length} answer, etcd ${version}`;
    if (away.length > 0) return note(found, `Look after ${away.map(printable).join(", ")}.`);
    return ok(found);
  },

  quorum: async () => {
    const answer = await firstAnswer(endpoints, "cluster/member/list");
    const members = (answer?.["members"] as unknown[] | undefined)?.length ?? 0;
    if (members >= 3) return ok(`${members} members`);
    return note(`${members} members`, "With fewer than three, the loss of one stops all: leases are lost by time.");
  },

  alarms: async () => {
    const answer = await firstAnswer(endpoints, "maintenance/alarm");
    const alarms = (answer?.["alarms"] as { alarm: string }[] | undefined) ?? [];
    if (alarms.length === 0) return ok("none");
    const names = alarms.map(({ alarm }) => alarm).join(", ");
    return problem(names, "NOSPACE: compact and defragment, then disarm; until then nothing can be written.");
  },
});

async function tryLease({ engine }: Opened): Promise<Finding> {
  const before = performance.now();
  let held: Lease;
  try {
    held = await lease(engine, "atexit doctor", { wait: LIMIT });
  } catch (error) {
    return problem(`cannot be taken: ${(error as Error).message}`, "See the message.");
  }
  const taken = Math.round(performance.now() - before);
  await held.release();
  const found = `taken within ${taken} ms, and given back within ${Math.round(performance.now() - before) - taken} ms`;
  return taken < SLOW ? ok(found) : note(found, "Give leases a ttl of a minute or more.");
}

/** Whether somebody carries out what dead owners have left. */
async function findKeepers({ recipes }: Opened): Promise<Finding> {
  let rows: Awaited<ReturnType<typeof recipes>>;
  try {
    rows = await recipes();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "42501") throw error;
    return ok("what is planted is not shown to this user");
  }
  const letters = rows.filter(({ isDeadLetter }) => isDeadLetter).length;
  const waiting = rows.filter(
    ({ isDeadLetter, isOwnerDead, isKept }) => !isDeadLetter && isOwnerDead && !isKept,
  ).length;
  if (waiting > 0) {
    return problem(
      `${waiting} recipes of dead owners wait for a keeper`,
      "Run atexit keeper --actions FILE, or atexit recover --actions FILE once.",
    );
  }
  if (letters > 0) return note(`${letters} dead letters`, "Look with atexit dead-letters.");
  return ok(rows.length === 0 ? "nothing is planted" : `${rows.length} recipes are planted, and none waits`);
}

async function one(pool: Pool, text: string): Promise<Record<string, unknown>> {
  return (await pool.query(text)).rows[0] ?? {};
}

async function firstAnswer(endpoints: readonly string[], path: string): Promise<Record<string, unknown> | undefined> {
  for (const endpoint of endpoints) {
    const answer = await ask(endpoint, path);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function ask(endpoint: string, path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const signal = AbortSignal.timeout(LIMIT);
    const url = `${endpoint.replace(/\/$/, "")}/v3/${path}`;
    const response = await fetch(url, { method: "POST", body: "{}", signal });
    return response.ok ? ((await response.json()) as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
