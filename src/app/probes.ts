// What Kubernetes asks an instance: whether it has started, lives, and wants
// requests.

import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Where the probes are answered. */
export interface ProbeOptions {
  /** The port of a server for the probes alone; it is answered until the end. */
  port: number;
  /** On which address. By default on all. */
  host?: string;
}

/** What the probes tell of. */
export interface Health {
  readonly isReady: boolean;
  readonly isLeaving: boolean;
}

const paths: Readonly<Record<string, (health: Health) => boolean>> = {
  "/livez": () => true,
  "/startupz": ({ isReady }) => isReady,
  // Also while requests are still served: so that no more of them are sent.
  "/readyz": ({ isReady, isLeaving }) => isReady && !isLeaving,
};

/** Answers a probe. @returns whether it was one */
export function answer(health: Health, { url = "", method }: IncomingMessage, response: ServerResponse): boolean {
  const ask = paths[new URL(url, "http://probe").pathname];
  if (ask === undefined || (method !== "GET" && method !== "HEAD")) return false;
  const isGood = ask(health);
  response.writeHead(isGood ? 200 : 503, { "content-type": "text/plain", "cache-control": "no-store" });
  response.end(isGood ? "ok\n" : health.isLeaving ? "leaving\n" : "not ready\n");
  return true;
}

/** A server for the probes alone, which keeps no process alive. */
export function probeServer(health: Health): Server {
  // Not imported: to load it changes globals, and few need it.
  const server = process.getBuiltinModule("http").createServer((request, response) => {
    if (!answer(health, request, response)) response.writeHead(404).end();
  });
  // The last to be closed, and with nobody to wait for.
  server.keepAliveTimeout = 1;
  server.on("connection", (socket) => socket.unref());
  return server.unref();
}
