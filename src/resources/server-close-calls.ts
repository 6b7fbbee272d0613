// Libraries that close a server themselves, while it is drained: socket.io's
// close(), Fastify's, Nest's. `http.Server.close()` cuts whoever is between two
// requests; as long as a drain goes on, to close the server is to wait for that.

import type { Server as NetServer } from "node:net";

type Done = (error?: Error) => void;

/**
 * Has a server's own methods lead to a drain, from now on.
 *
 * @param drain begins it, or waits for it
 * @returns a function that gives the server its methods back
 */
export function answerCloseCalls(server: NetServer, drain: () => Promise<void>): () => void {
  const wasClosed = !server.listening;
  const replaced = {
    close(this: NetServer, done?: Done) {
      // One that never listened says so, as without a drain.
      if (wasClosed && !server.listening) return own.close.call(this, done);
      drain().then(
        () => done?.(),
        (error: unknown) => done?.(error as Error),
      );
      return this;
    },
    /** The drain ends them, when they have been idle for long enough. */
    closeIdleConnections() {},
  };
  const own = { close: server.close };
  const names = Object.keys(replaced).filter((name) => name in server) as (keyof typeof replaced)[];
  const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(server, name)] as const);
  for (const name of names) {
    Object.defineProperty(server, name, { configurable: true, writable: true, value: replaced[name] });
  }
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(server, name);
      else Object.defineProperty(server, name, descriptor);
    }
  };
}
