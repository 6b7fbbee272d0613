// Closes any resource, by a table of ways: well-known clients by the properties
// that tell them apart, and after them every object with a usual method.

import type { EventEmitter } from "node:events";
import type { Server } from "node:net";
import { setTimeout } from "../platform/node-builtins.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { resourceError } from "../errors/resources.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { Leaving, sayGoodBye } from "./server-drain.ts";
import { type Closing, closingHandle } from "./workers.ts";

type Resource = Readonly<Record<string | symbol, unknown>>;

/** One way in which resources are closed. */
export interface WayToClose {
  /** The kind of resource that is closed in this way. */
  readonly of: string;
  /** The method that is called, with the arguments `with`. */
  readonly call: string | symbol;
  readonly with?: readonly unknown[];
  /** Whether the method takes a callback, and calls it at its end. */
  readonly callback?: boolean;
  /** The event that tells its end, where the method does not. */
  readonly event?: string;
  /** Returns the server that the method closes: meanwhile that one is drained. */
  server?(resource: Resource): Server;
  /** Returns a server with whose drain the resource is closed, and which it leaves as it is. */
  beside?(resource: Resource): Server | undefined;
  /**
   * What is over before the method is called: "asking", when nobody can send a further
   * request, which it would refuse; "answering", when all are answered but streams,
   * since it takes away what handlers need.
   */
  after?(resource: Resource): "asking" | "answering" | undefined;
  /** Called after the method, while its end is waited for. */
  meanwhile?(resource: Resource): void;
  /** Reports whether the resource is closed already, where that shows. */
  isClosed?(resource: Resource): boolean;
  /** Reports whether somebody has begun to close it, and it shows when that is over. */
  isClosing?(resource: Resource): boolean;
  /** Reports whether a resource is closed in this way. */
  matches(resource: Resource): boolean;
}

const has = (...names: readonly (string | symbol)[]) => {
  return (resource: Resource) => names.every((name) => typeof resource[name] === "function");
};

/** By its methods: its class is given another name by what is mixed into it. */
const isIoredis = has("quit", "disconnect", "defineCommand", "duplicate");

const prototypeOf = (object: object) => Object.getPrototypeOf(object) as object | null;

const named = (...names: readonly string[]) => {
  return (resource: Resource) => {
    // Subclasses match as well: BoundPool extends Pool.
    for (let at = prototypeOf(resource); at !== null; at = prototypeOf(at)) {
      if (names.includes((at.constructor as { name?: string } | undefined)?.name ?? "")) return true;
    }
    return false;
  };
};

/**
 * The ways to close, in the order in which they are tried. Well-known clients
 * come first, where the usual method is not the right one.
 */
export const waysToClose: readonly WayToClose[] = [
  {
    of: "pg: Pool (waits for queries under way)",
    call: "end",
    isClosing: ({ ending }) => ending === true,
    isClosed: ({ ended }) => ended === true,
    matches: (r) => has("end", "connect", "query")(r) && "totalCount" in r,
  },
  { of: "pg: Client", call: "end", matches: (r) => named("Client")(r) && has("end", "query", "escapeLiteral")(r) },
  {
    of: "mysql2: PoolCluster",
    call: "end",
    callback: true,
    matches: has("end", "of", "getConnection"),
  },
  {
    of: "mysql2: Pool and Connection",
    call: "end",
    callback: true,
    matches: (r) => named("Pool", "Connection", "BasePool", "BaseConnection")(r) && has("end", "execute", "format")(r),
  },
  {
    of: "ioredis: QUIT, after what was sent",
    call: "quit",
    isClosed: ({ status }) => status === "end" || status === "wait", // or has never been used
    matches: isIoredis,
  },
  {
    of: "MQTT.js (after what was sent)",
    call: "end",
    with: [false, {}],
    callback: true,
    isClosed: ({ disconnected }) => disconnected === true,
    matches: has("end", "publish", "subscribe", "reconnect"),
  },
  {
    of: "redis: close, after what was sent",
    call: "close",
    isClosed: ({ isOpen }) => isOpen === false,
    matches: has("close", "destroy", "sendCommand", "connect"),
  },
  { of: "redis 4: QUIT", call: "quit", matches: has("quit", "sendCommand", "connect") },
  { of: "Prisma", call: "$disconnect", matches: has("$disconnect") },
  { of: "Knex", call: "destroy", matches: has("destroy", "raw", "transaction") },
  {
    of: "Sequelize, Mongoose, MongoDB, TypeORM, kafkajs admin",
    call: "close",
    matches: (r) => named("Sequelize", "Mongoose", "MongoClient")(r) && has("close")(r),
  },
  {
    of: "TypeORM: DataSource",
    call: "destroy",
    matches: (r) => named("DataSource")(r) && has("destroy", "initialize")(r),
  },
  { of: "kafkajs: Producer, Consumer, Admin", call: "disconnect", matches: has("disconnect", "connect", "logger") },
  {
    of: "undici: Dispatcher (waits for requests under way)",
    call: "close",
    matches: has("close", "destroy", "dispatch"),
  },
  {
    of: "ws: WebSocketServer (says good-bye to its clients)",
    call: "close",
    callback: true,
    beside: ({ options }) => (options as { server?: Server | null } | undefined)?.server ?? undefined,
    meanwhile: ({ clients }) => {
      for (const client of (clients ?? []) as Iterable<{ close(code: number): void }>) client.close(1001);
    },
    matches: has("close", "handleUpgrade", "shouldHandle"),
  },
  {
    of: "socket.io: Server (disconnects its clients)",
    call: "close",
    beside: ({ httpServer }) => (httpServer as Server | null) ?? undefined,
    matches: has("close", "attach", "of", "disconnectSockets"),
  },
  {
    of: "ws: WebSocket (waits for the other side's good-bye)",
    call: "close",
    with: [1001],
    event: "close",
    isClosed: ({ readyState }) => readyState === 3,
    matches: has("close", "terminate", "ping"),
  },
  {
    of: "Fastify (answers what it has accepted)",
    call: "close",
    server: ({ server }) => server as Server,
    after: ({ initialConfig }) =>
      (initialConfig as { return503OnClosing?: boolean } | undefined)?.return503OnClosing === false
        ? undefined
        : "asking",
    matches: (r) => has("close", "listen", "inject", "ready")(r) && has("close", "address")(r["server"] as Resource),
  },
  {
    of: "NestJS (answers what it has accepted)",
    call: "close",
    server: (r) => (r["getHttpServer"] as () => Server).call(r),
    after: () => "answering",
    matches: has("close", "getHttpServer", "enableShutdownHooks"),
  },
  {
    of: "stream: Writable (waits until all is written)",
    call: "end",
    callback: true,
    isClosed: ({ destroyed }) => destroyed === true,
    matches: has("end", "write", "cork", "uncork"),
  },
  {
    of: "net, http, https, http2: Server (answers what it has accepted)",
    call: "close",
    callback: true,
    server: (server) => server as unknown as Server,
    matches: has("close", "listen", "address", "getConnections"),
  },
  { of: "pino: flushed", call: "flush", callback: true, matches: has("flush", "child", "bindings", "isLevelEnabled") },
  { of: "sonic-boom: flushed, and closed", call: "end", matches: has("flushSync", "reopen", "end") },
  {
    of: "BullMQ: Worker (waits for jobs under way)",
    call: "close",
    matches: (r) => named("Worker", "Queue", "QueueEvents")(r) && has("close", "waitUntilReady")(r),
  },
  {
    of: "node:sqlite and better-sqlite3",
    call: "close",
    isClosed: ({ open, isOpen }) => open === false || isOpen === false,
    matches: has("close", "exec", "prepare"),
  },
  { of: "anything that is asynchronously disposable", call: Symbol.asyncDispose, matches: has(Symbol.asyncDispose) },
  { of: "anything that is disposable", call: Symbol.dispose, matches: has(Symbol.dispose) },
  ...["close", "end", "quit", "disconnect", "$disconnect", "shutdown", "stop", "destroy"].map((call) => ({
    of: `anything with ${call}()`,
    call,
    matches: has(call),
  })),
];

/** Reports whether there is a way to close something. */
export function isKnownToClose(resource: object): boolean {
  return waysToClose.some(({ matches }) => matches(resource as Resource));
}

/** Closes a resource at exit, by a way of the table or by a function. */
export function closeAtExit<T extends object>(
  callee: Callee,
  resource: T,
  options: { name?: string; timeout?: number },
  close: ((resource: T) => unknown) | undefined,
): Closing {
  if ((typeof resource !== "object" && typeof resource !== "function") || resource === null) {
    throw resourceError("ERR_ATEXIT_OPTION", "What to close", resource, "an object such as a pool or a client");
  }
  if (close !== undefined && typeof close !== "function") {
    throw resourceError("ERR_ATEXIT_OPTION", "close", close, "a function");
  }
  if (options.name !== undefined && typeof options.name !== "string") {
    throw resourceError("ERR_ATEXIT_OPTION", "name", options.name, "a string");
  }
  if (options.timeout !== undefined) checkTime("timeout", options.timeout);
  const way = close === undefined ? wayFor(resource) : undefined;
  const name = options.name ?? `close ${(resource.constructor as { name?: string } | undefined)?.name ?? "resource"}`;
  const closeOnce = once(async () => {
    if (way === undefined) await close?.(resource);
    else await closeWithServer(way, resource as Resource);
  });
  const server = way?.server?.(resource as Resource) ?? way?.beside?.(resource as Resource);
  if (server !== undefined) {
    if (way?.server !== undefined) Leaving.of(server); // it is watched from now on
    if (server !== (resource as object)) sayGoodBye(server, closeOnce);
  }
  const registration = registerForCaller(
    callee,
    options.timeout === undefined ? { name } : { name, timeout: options.timeout },
    closeOnce,
  );
  return closingHandle(registration);
}

/** The pause between two looks, in milliseconds. */
const LOOK_EVERY = 10;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
}

function once(fn: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => (result ??= fn());
}

async function closeWithServer(way: WayToClose, resource: Resource): Promise<void> {
  const server = way.server?.(resource);
  const leaving = server && Leaving.of(server);
  leaving?.begin();
  const after = way.after?.(resource);
  if (after === "asking") await leaving?.closed();
  if (after === "answering") await leaving?.answered();
  await closeBy(way, resource);
  await leaving?.end();
}

function wayFor(resource: object): WayToClose {
  const way = waysToClose.find(({ matches }) => matches(resource as Resource));
  if (way !== undefined) return way;
  const usual =
    "Symbol.asyncDispose, Symbol.dispose, close, end, quit, disconnect, $disconnect, shutdown, stop, destroy";
  throw resourceError("ERR_ATEXIT_CANNOT_CLOSE", resource, usual);
}

function closeBy(way: WayToClose, resource: object): unknown {
  const { call, with: args = [], callback = false, event, isClosed, isClosing, meanwhile } = way;
  if (isClosed?.(resource as Resource) === true) return undefined;
  if (isClosing?.(resource as Resource) === true) return until(() => isClosed?.(resource as Resource) === true);
  const method = (resource as Record<string | symbol, (...args: unknown[]) => unknown>)[call];
  if (event !== undefined) {
    return new Promise<void>((resolve) => {
      (resource as EventEmitter).once(event, () => resolve());
      method?.apply(resource, [...args]);
    });
  }
  if (!callback) return method?.apply(resource, [...args]);
  return new Promise<void>((resolve, reject) => {
    const done = (error?: unknown) => {
      // A server that is closed already is no error.
      const isClosed = (error as NodeJS.ErrnoException | undefined)?.code === "ERR_SERVER_NOT_RUNNING";
      if (error instanceof Error && !isClosed) reject(error);
      else resolve();
    };
    const result = method?.apply(resource, [...args, done]);
    meanwhile?.(resource as Resource);
    if (result instanceof Promise) result.then(() => resolve(), reject);
  });
}
