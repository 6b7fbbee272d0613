// Clients of databases: each query that was sent is answered before its connection ends.

import { mongodb } from "./mongodb.ts";
import { has, lengthOf, type Resource, type WayToClose } from "./way-to-close.ts";

/** How long a client that may be connecting is given to find nobody at the other end, in milliseconds. */
const CONNECTS_WITHIN = 250;

/** How long a connection that is lent out and does nothing may be within a transaction, in milliseconds. */
const LENT = 1_000;

/**
 * mysql2's pool: it refuses queries that wait for a connection, and ends those that are
 * lent out. A program may never give one back.
 */
function isPoolBusy(pool: unknown, waited: number): boolean {
  const all = (pool as Resource | undefined)?.["_allConnections"] as { get(at: number): Resource } | undefined;
  const count = lengthOf(pool, "_allConnections");
  const isLent = count > lengthOf(pool, "_freeConnections");
  const isAtWork = (at: number) => Boolean(all?.get(at)["_command"]) || lengthOf(all?.get(at), "_commands") > 0;
  if (lengthOf(pool, "_connectionQueue") > 0) return true;
  return isLent && (waited < LENT || Array.from({ length: count }, (_, at) => at).some(isAtWork));
}

const countOf = (resource: Resource, name: string) => Number((resource[name] as () => unknown).call(resource));

const isObject = (value: unknown) => value !== null && (typeof value === "object" || typeof value === "function");

export const databases: readonly WayToClose[] = [
  { of: "Prisma", call: "$disconnect", matches: has("$disconnect") },
  {
    of: "Drizzle: its client, in the way of that",
    call: "$client",
    client: ({ $client }) => $client as object,
    matches: ({ $client }) => isObject($client),
  },
  {
    of: "pg: Pool (waits for queries under way)",
    call: "end",
    isClosing: ({ ending }) => ending === true,
    isClosed: ({ ended }) => ended === true,
    matches: (r) => has("end", "connect", "query")(r) && "totalCount" in r,
  },
  {
    of: "pg: Client, after its queries",
    call: "end",
    // end() cuts the query that is under way, and tells nothing where the connection has failed.
    isBusy: (r) => {
      const { readyForQuery, _connected, _connecting } = r;
      // Of the queue's older name a newer pg warns.
      if (_connecting === true) return lengthOf(r, "_queryQueue" in r ? "_queryQueue" : "queryQueue") > 0;
      return _connected === true && readyForQuery !== true;
    },
    isClosed: ({ _connectionError, _ended, _queryable }) =>
      _connectionError === true || _ended === true || _queryable === false,
    matches: has("end", "query", "escapeLiteral"),
  },
  {
    of: "mysql2: PoolCluster",
    call: "end",
    callback: true,
    isBusy: (r, waited) => {
      const cluster = (r["poolCluster"] ?? r) as Resource; // that of mysql2/promise stands around one
      const nodes: readonly { pool?: unknown }[] = Object.values(cluster["_nodes"] ?? {});
      return nodes.some(({ pool }) => isPoolBusy(pool, waited));
    },
    matches: has("end", "of", "getConnection"),
  },
  {
    of: "mariadb: Pool (waits for queries under way)",
    call: "end",
    callback: true,
    isBusy: (r) => countOf(r, "activeConnections") + countOf(r, "taskQueueSize") > 0,
    matches: has("end", "activeConnections", "taskQueueSize"),
  },
  {
    of: "mysql2: Pool (waits for queries under way)",
    call: "end",
    callback: true,
    isBusy: (r, waited) => isPoolBusy(r["pool"] ?? r, waited),
    isClosed: (r) => ((r["pool"] ?? r) as Resource)["_closed"] === true,
    matches: has("end", "execute", "getConnection", "escape"),
  },
  {
    of: "mariadb: Connection, after its queries",
    // end() cuts the query that is under way.
    first: "ping",
    call: "end",
    callback: true,
    matches: has("end", "ping", "importFile", "isValid"),
  },
  {
    of: "mysql2, mysql: Connection, after its queries",
    call: "end",
    callback: true,
    matches: has("end", "query", "destroy", "ping"),
  },
  {
    of: "Knex (waits for queries under way)",
    call: "destroy",
    isBusy: ({ client }) => {
      const { pool } = (client ?? {}) as { pool?: { numPendingAcquires?(): number } };
      return (pool?.numPendingAcquires?.() ?? 0) > 0;
    },
    matches: has("destroy", "raw", "transaction"),
  },
  {
    of: "postgres.js (waits for queries under way)",
    call: "end",
    // It has heard from no server yet: where its connection fails after end() was called, that never ends.
    isBusy: ({ parameters }, waited) => Object.keys(parameters ?? {}).length === 0 && waited < CONNECTS_WITHIN,
    matches: has("end", "unsafe", "begin"),
  },
  {
    of: "TypeORM: DataSource, after its queries",
    call: "destroy",
    // It releases the connections of PostgreSQL whatever they do.
    isBusy: ({ driver }) => lengthOf(driver, "connectedQueryRunners") > 0,
    isClosed: ({ isInitialized }) => isInitialized === false,
    matches: has("destroy", "initialize", "getRepository"),
  },
  {
    of: "Sequelize (waits for queries under way)",
    call: "close",
    isBusy: ({ connectionManager, options }, waited) => {
      const { pool, versionPromise } = (connectionManager ?? {}) as {
        pool?: { waiting?: number; using?: number; size?: number };
        versionPromise?: unknown;
      };
      // The first query waits for a connection beside the pool, which asks for the server's version and ends.
      if (isObject(versionPromise)) return true;
      const knowsVersion = Boolean((options as Resource | undefined)?.["databaseVersion"]);
      const isClosing = Object.hasOwn(Object(connectionManager) as object, "getConnection"); // it refuses then
      if (knowsVersion && pool?.size === 0 && !isClosing && waited < LENT) return true;
      return (pool?.waiting ?? 0) + (pool?.using ?? 0) > 0;
    },
    matches: has("close", "authenticate", "define"),
  },
  {
    of: "mssql: ConnectionPool",
    call: "close",
    callback: true,
    isBusy: ({ connecting }) => connecting === true, // it refuses to be closed then
    matches: (r) => has("close", "request", "batch")(r) && "connecting" in r,
  },
  ...mongodb,
  {
    of: "node:sqlite and better-sqlite3",
    call: "close",
    isClosed: ({ open, isOpen }) => open === false || isOpen === false,
    matches: has("close", "exec", "prepare"),
  },
];
