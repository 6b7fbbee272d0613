// Servers, and connections over the web: what was accepted is answered, and the other
// side is told.

import type { Server } from "node:net";
import { has, type Resource, type WayToClose } from "./way-to-close.ts";

const isServer = has("close", "listen", "address", "getConnections");

/** The phase of Apollo Server's life, or "" where it shows none. */
function phaseOf(internals: unknown): string {
  const { state } = (internals ?? {}) as { state?: { phase?: unknown } };
  return typeof state?.phase === "string" ? state.phase : "";
}

export const servers: readonly WayToClose[] = [
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
    of: "WebSocket of the platform (waits for the other side's good-bye)",
    call: "close",
    event: "close",
    isClosed: ({ readyState }) => readyState === 3,
    matches: (r) => has("close", "send", "addEventListener")(r) && "bufferedAmount" in r && "readyState" in r,
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
    of: "hapi (answers what it has accepted)",
    call: "stop",
    server: ({ listener }) => listener as Server,
    after: () => "asking", // it ends connections that seem to be idle
    isClosed: ({ _core }) => (_core as Resource | undefined)?.["phase"] === "stopped",
    isClosing: ({ _core }) => (_core as Resource | undefined)?.["phase"] === "stopping",
    matches: (r) => has("stop", "start", "inject", "route")(r) && isServer((r["listener"] ?? {}) as Resource),
  },
  {
    of: "Apollo Server",
    call: "stop",
    isClosed: (r) => !["started", "draining", "stopping"].includes(phaseOf(r["internals"])),
    isClosing: (r) => phaseOf(r["internals"]) !== "started", // who stops it a second time waits for ever
    matches: (r) => has("stop", "start", "executeOperation")(r) && phaseOf(r["internals"]) !== "",
  },
  {
    of: "HTTP/2: session (waits for its streams)",
    call: "close",
    callback: true,
    isClosed: ({ destroyed }) => destroyed === true,
    isClosing: ({ closed }) => closed === true,
    matches: has("close", "goaway", "settings", "ping"),
  },
  {
    of: "gRPC: Server (answers what it has accepted)",
    call: "tryShutdown",
    callback: true,
    matches: has("tryShutdown", "forceShutdown"),
  },
  {
    of: "net, http, https, http2: Server (answers what it has accepted)",
    call: "close",
    callback: true,
    server: (server) => server as unknown as Server,
    matches: isServer,
  },
];
