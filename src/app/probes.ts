// Answers the probes of Kubernetes: whether an instance has started, lives, and
// wants requests.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { process } from "../platform/process.ts";

/** Where the probes are answered. */
export interface ProbeOptions {
  /** The port of a server for the probes alone, which answers until the end. */
  port: number;
  /** The address to listen on. By default all. */
  host?: string;
}

/** The state that the probes tell of. */
export interface Health {
  readonly isReady: boolean;
  readonly isLeaving: boolean;
}

const paths: Readonly<Record<string, (health: Health) => boolean>> = {
  "/livez": () => true,
  "/startupz": ({ isReady }) => isReady,
  // A leaving instance is not ready, though it still serves: so that no more requests are sent.
  "/readyz": ({ isReady, isLeaving }) => isReady && !isLeaving,
};

/** Returns the path of a request's target, whatever a client has written there. Source: RFC 9112, 3.2. */
function pathOf(target: string): string {
  return target.replace(/^[a-z]+:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
}

/** Answers a probe. @returns whether it was one */
export function answer(health: Health, { url = "", method }: IncomingMessage, response: ServerResponse): boolean {
  const path = pathOf(url);
  const ask = Object.hasOwn(paths, path) ? paths[path] : undefined;
  if (ask === undefined || (method !== "GET" && method !== "HEAD")) return false;
  const isGood = ask(health);
  response.writeHead(isGood ? 200 : 503, { "content-type": "text/plain", "cache-control": "no-store" });
  response.end(isGood ? "ok\n" : health.isLeaving ? "leaving\n" : "not ready\n");
  return true;
}

/** Makes a server for the probes alone, which keeps no process alive. */
export function probeServer(health: Health): Server {
  // node:http is not imported: to load it changes globals, and few programs need it.
  const server = process.getBuiltinModule("http").createServer((request, response) => {
    if (!answer(health, request, response)) response.writeHead(404).end();
  });
  // This server is closed last, and waits for no client.
  server.keepAliveTimeout = 1;
  server.on("connection", (socket) => socket.unref());
  return server.unref();
}
