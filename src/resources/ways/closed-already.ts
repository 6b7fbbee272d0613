// Errors by which clients tell that there is nothing left to close: somebody has closed
// it, or nobody is at the other end any more. Neither is a failed cleanup.

/** By `code`. */
const CODES: ReadonlySet<unknown> = new Set([
  // Node
  "ERR_SERVER_NOT_RUNNING",
  "ERR_SOCKET_CLOSED",
  "ERR_SOCKET_DGRAM_NOT_RUNNING",
  "ERR_STREAM_ALREADY_FINISHED",
  "ERR_STREAM_DESTROYED",
  // mariadb
  "ER_POOL_ALREADY_CLOSED",
  "ER_CMD_CONNECTION_CLOSED",
  // mysql2
  "PROTOCOL_CONNECTION_LOST",
  // undici
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
  // NATS
  "CONNECTION_CLOSED",
  "CONNECTION_DRAINING",
]);

/** By `name`. */
const NAMES: ReadonlySet<unknown> = new Set([
  "CannotExecuteNotConnectedError", // TypeORM
  "ConnectionIsNotSetError",
  "ClientClosedError", // redis
  "ClosedConnectionError", // @nats-io
  "DrainingConnectionError",
  "IllegalOperationError", // amqplib
]);

/** By `message`, where an error has no more than that. */
const MESSAGES: readonly RegExp[] = [
  /^Can't add new command when connection is in closed state$/, // mysql2
  /^Pool is closed\.$/,
  /^Called end on pool more than once$/, // pg
  /^Runner is already stopped$/, // graphile-worker
  /^Connection is closed\.$/, // ioredis
];

/** Nobody is at the other end: for clients, whose requests under way tell that to those who have made them. */
const GONE: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Reports whether an error says that nobody is at the other end. */
export function isOfNobody(error: unknown): boolean {
  return GONE.has((error as { code?: unknown } | null | undefined)?.code);
}

/** @param isClient whether it is a client that is known, and not one that may report the loss of data so */
export function isClosedAlready(error: unknown, isClient: boolean): boolean {
  const { code, name, message } = (error ?? {}) as { code?: unknown; name?: unknown; message?: unknown };
  if (CODES.has(code) || NAMES.has(name)) return true;
  if (isClient && isOfNobody(error)) return true;
  return typeof message === "string" && MESSAGES.some((pattern) => pattern.test(message));
}
