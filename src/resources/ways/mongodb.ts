// MongoDB's clients: close() cuts the operations that are under way, so those are
// waited for, but not what listens for changes and would go on for ever.

import { has, lengthOf, type Resource, type WayToClose } from "./way-to-close.ts";

/** How long what has no connection is waited for, in milliseconds: it may be between two operations of a transaction, or never get one. */
const PATIENCE = 1_000;

interface Topology {
  readonly waitQueue?: { readonly length: number };
  readonly s?: { readonly servers?: ReadonlyMap<string, { readonly pool?: Pool }> };
}

interface Pool {
  readonly currentCheckedOutCount?: number;
  readonly waitQueueSize?: number;
}

interface Internals {
  readonly activeCursors?: ReadonlySet<{ readonly cursorOptions?: { readonly tailable?: boolean } }>;
  readonly activeSessions?: ReadonlySet<{ readonly explicit?: boolean; inTransaction?(): boolean }>;
}

/** Reports whether a `MongoClient` waits for answers. */
function isClientBusy(client: unknown, waited: number): boolean {
  const { topology, s } = (client ?? {}) as { topology?: Topology; s?: Internals };
  const pools = [...(topology?.s?.servers?.values() ?? [])].map(({ pool }) => pool);
  const sum = (count: (pool: Pool) => number | undefined) =>
    pools.reduce((all, pool) => all + ((pool && count(pool)) ?? 0), 0);
  // A cursor for changes has a connection while it waits for the next one.
  const listening = [...(s?.activeCursors ?? [])].filter(({ cursorOptions }) => cursorOptions?.tailable === true);
  if (sum(({ currentCheckedOutCount }) => currentCheckedOutCount) > listening.length) return true;
  if (sum(({ waitQueueSize }) => waitQueueSize) > 0) return true;
  if (waited >= PATIENCE) return false;
  // An operation, or a cursor, that was given no session has one of its own from its first moment.
  const sessions = [...(s?.activeSessions ?? [])].filter((each) => each.explicit === false || each.inTransaction?.());
  return sessions.length > listening.length || lengthOf(topology, "waitQueue") > 0;
}

/** Mongoose waits for a connection that it has begun, also where there is no server: nothing is lost where nothing waits for it. */
function giveUpConnecting({ readyState, _queue, client }: Resource): void {
  const isConnecting = readyState === 2 && lengthOf({ _queue }, "_queue") === 0;
  if (isConnecting && has("close")((client ?? {}) as Resource)) void (client as { close(): Promise<void> }).close();
}

const connectionsOf = ({ connections }: Resource) => (Array.isArray(connections) ? (connections as Resource[]) : []);

export const mongodb: readonly WayToClose[] = [
  {
    of: "MongoDB (waits for operations under way)",
    call: "close",
    isBusy: isClientBusy,
    matches: has("close", "db", "startSession"),
  },
  {
    of: "Mongoose (waits for operations under way)",
    call: "disconnect",
    isBusy: (mongoose, waited) => connectionsOf(mongoose).some(({ client }) => isClientBusy(client, waited)),
    meanwhile: (mongoose) => connectionsOf(mongoose).forEach(giveUpConnecting),
    matches: has("disconnect", "createConnection", "model"),
  },
  {
    of: "Mongoose: Connection (waits for operations under way)",
    call: "close",
    isBusy: ({ client }, waited) => isClientBusy(client, waited),
    meanwhile: giveUpConnecting,
    matches: (r) => has("close", "model", "getClient")(r) && "readyState" in r,
  },
];
