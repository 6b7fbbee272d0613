// Ends a server without failing its clients: it answers the requests that it has
// accepted, and takes no more.
//
//   serving --drainDelay--> closed to new connections --all answered--> gone
//                                                     --grace is over--> cut

import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import { clearTimeout, now, setImmediate, setTimeout } from "../platform/node-builtins.ts";
import { configure, exiting } from "../index.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { type Closing, closingHandle } from "./workers.ts";
import { process } from "../platform/process.ts";

/** Options for the end of a server. */
export interface ServerOptions {
  /**
   * How long it goes on serving as if nothing had happened, in milliseconds from
   * the shutdown's beginning: a load balancer takes some seconds to notice. 0 by
   * default.
   */
  drainDelay?: number;
  /**
   * How long the rest may take before connections are cut, in milliseconds. By
   * default half of the grace period that is left after `drainDelay`.
   */
  grace?: number;
  /** Called for each connection that was upgraded (WebSocket), to say good-bye in its own language. */
  upgraded?: (socket: Socket) => void;
  /** Called for each connection of a server that speaks no HTTP, when it is to end. */
  connected?: (socket: Socket) => void;
}

/**
 * A connection that has been idle for less may have a request under way, in
 * milliseconds: it is kept to be answered, with `Connection: close`.
 */
const UNDER_WAY = 1_000;

/** The pause between two looks for idle connections, in milliseconds. */
const TICK = 50;

interface Connection {
  readonly socket: Socket;
  /** Requests that have not been answered yet. */
  pending: number;
  /** When the connection last became idle. */
  idleSince: number;
  isUpgraded: boolean;
}

/** When the shutdown began, once there is a server. */
let shutdownBegan: number | undefined;
let isWatching = false;

function watchShutdown(): void {
  if (isWatching) return;
  isWatching = true;
  exiting.addEventListener("abort", () => (shutdownBegan = now()), { once: true });
}

export function drainAtExit(callee: Callee, server: NetServer, options: ServerOptions): Closing {
  const { drainDelay = 0 } = options;
  checkTime("drainDelay", drainDelay);
  const grace = checkTime("grace", options.grace ?? Math.max(0, configure({}).grace - drainDelay) / 2);
  watchShutdown();
  const traffic = new Traffic(server);
  const registration = registerForCaller(callee, { name: "server", timeout: drainDelay + grace + 500 }, async () => {
    try {
      // Servers that end one after the other drain together.
      const since = shutdownBegan === undefined ? 0 : now() - shutdownBegan;
      await new Drain(server, traffic, options).run(Math.max(0, drainDelay - since), grace);
    } finally {
      traffic.forget();
    }
  });
  server.once("close", () => {
    traffic.forget();
    registration.cancel();
  });
  return closingHandle(registration);
}

// oxlint-disable-next-line typescript/no-explicit-any -- what Node declares for listeners
type Listener = (...args: any[]) => void;

/** Watches a server from now on. @returns a function that drains and closes it */
export function drainOf(server: NetServer): () => Promise<void> {
  const traffic = new Traffic(server);
  return async () => {
    try {
      await new Drain(server, traffic, {}).run(0, configure({}).grace / 2);
    } finally {
      traffic.forget();
    }
  };
}

/** The connections of a server, and the requests under way in each. */
class Traffic {
  readonly connections = new Map<Socket, Connection>();
  readonly sessions = new Set<ServerHttp2Session>();
  readonly responses = new Set<ServerResponse>();
  /** Called when the last connection has ended. */
  emptied = () => {};
  /** Whether each answer is its connection's last. */
  isLeaving = false;
  /** The sockets below TLS, by their peers' addresses. */
  readonly #handshakes = new Map<string, Socket>();
  readonly #isTls: boolean;
  readonly #server: EventEmitter;
  readonly #listeners: readonly (readonly [event: string, listener: Listener])[];

  constructor(server: EventEmitter) {
    this.#server = server;
    this.#isTls = "setSecureContext" in server;
    this.#listeners = [
      ["connection", (socket: Socket) => this.#connected(socket)],
      ["secureConnection", (socket: Socket) => this.#secured(socket)],
      ["request", (request: IncomingMessage, response: ServerResponse) => this.#requested(request, response)],
      ["upgrade", (_: unknown, socket: Socket) => this.#upgraded(socket)],
      ["connect", (_: unknown, socket: Socket) => this.#upgraded(socket)],
      ["session", (session: ServerHttp2Session) => this.#opened(session)],
    ];
    // A first listener of "upgrade" or "connect" would change how the server handles these requests.
    for (const [event, listener] of this.#listeners) {
      if (event !== "upgrade" && event !== "connect") server.prependListener(event, listener);
      else if (server.listenerCount(event) > 0) server.prependListener(event, listener);
    }
    server.on("newListener", this.#added);
  }

  /** Follows the program's own first listener of `upgrade` or `connect`. */
  readonly #added = (event: string | symbol, added: Listener): void => {
    if (event !== "upgrade" && event !== "connect") return;
    const [, own] = this.#listeners.find(([name]) => name === event) as readonly [string, Listener];
    if (added === own || this.#server.listeners(event).includes(own)) return;
    this.#server.prependListener(event, own);
  };

  forget(): void {
    this.#server.off("newListener", this.#added);
    for (const [event, listener] of this.#listeners) this.#server.off(event, listener);
  }

  #connected(socket: Socket): void {
    if (this.#isTls && !("encrypted" in socket)) this.#shaking(socket);
    this.connections.set(socket, { socket, pending: 0, idleSince: now(), isUpgraded: false });
    socket.once("close", () => {
      this.connections.delete(socket);
      this.#ended();
    });
  }

  #shaking(socket: Socket): void {
    const address = addressOf(socket);
    this.#handshakes.set(address, socket);
    socket.once("close", () => this.#handshakes.delete(address));
  }

  /** Moves a connection to its TLS socket, at which its requests show from now on. */
  #secured(socket: Socket): void {
    const below = this.#handshakes.get(addressOf(socket));
    if (below !== undefined) this.connections.delete(below);
    this.#connected(socket);
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    if (request.httpVersionMajor >= 2) return; // a stream of a session, which counts them itself
    const connection = this.connections.get(request.socket);
    if (connection === undefined) return;
    connection.pending += 1;
    this.responses.add(response);
    if (this.isLeaving) lastAnswer(response);
    response.once("close", () => {
      connection.pending -= 1;
      connection.idleSince = now();
      this.responses.delete(response);
    });
  }

  #upgraded(socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection !== undefined) connection.isUpgraded = true;
  }

  #opened(session: ServerHttp2Session): void {
    this.sessions.add(session);
    session.once("close", () => {
      this.sessions.delete(session);
      this.#ended();
    });
  }

  #ended(): void {
    if (this.size === 0) this.emptied();
  }

  get size(): number {
    return this.connections.size + this.sessions.size;
  }
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Tells the client that no request may follow on this connection. */
function lastAnswer(response: ServerResponse): void {
  response.shouldKeepAlive = false; // Node writes the header, and ends the connection after it
  if (!response.headersSent) response.setHeader("Connection", "close");
}

/** The end of one server. */
class Drain {
  readonly #server: NetServer;
  readonly #traffic: Traffic;
  readonly #options: ServerOptions;
  readonly #isHttp: boolean;

  constructor(server: NetServer, traffic: Traffic, options: ServerOptions) {
    this.#server = server;
    this.#traffic = traffic;
    this.#options = options;
    this.#isHttp = "closeIdleConnections" in server || "updateSettings" in server;
  }

  async run(drainDelay: number, grace: number): Promise<void> {
    if (drainDelay > 0) await pause(drainDelay);
    const end = now() + grace;
    // Two turns let Node see the connections that the system has accepted.
    await nextTurn();
    await nextTurn();
    const closed = this.#closed();
    this.#leave();
    await this.#quiet(end);
    this.#cut();
    await closed;
  }

  /** Closes the listening socket, and not yet the connections that `http.Server.close()` closes with it. */
  #closed(): Promise<void> {
    const { close } = netPrototype();
    return new Promise((resolve) => {
      if (!this.#server.listening) return resolve();
      // Resolves when the last connection has ended as well.
      close.call(this.#server, () => resolve());
    });
  }

  #leave(): void {
    const { connections, responses, sessions } = this.#traffic;
    this.#traffic.isLeaving = true;
    for (const response of responses) lastAnswer(response);
    // The first GOAWAY refuses nothing yet; the second does, when all requests under way have come.
    for (const session of sessions) session.goaway(0, 2 ** 31 - 1);
    const { upgraded, connected } = this.#options;
    for (const { socket, isUpgraded } of connections.values()) {
      if (isUpgraded) upgraded?.(socket);
      else if (!this.#isHttp) connected?.(socket);
    }
  }

  /** Resolves when every connection has ended, or at the end of the time. */
  async #quiet(end: number): Promise<void> {
    const refusal = now() + Math.min(UNDER_WAY, end - now()) / 2;
    let hasRefused = false;
    while (this.#traffic.size > 0 && now() < end) {
      if (this.#isHttp) this.#endIdle();
      if (!hasRefused && now() >= refusal) {
        hasRefused = true;
        for (const session of this.#traffic.sessions) session.close();
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, Math.min(end - now(), TICK)));
        this.#traffic.emptied = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends the connections that have been idle for long enough. */
  #endIdle(): void {
    const { connections, sessions } = this.#traffic;
    for (const { socket, pending, idleSince, isUpgraded } of connections.values()) {
      if (pending > 0 || isUpgraded || now() - idleSince < UNDER_WAY) continue;
      if (!isOfSession(socket, sessions)) socket.destroySoon();
    }
  }

  #cut(): void {
    for (const session of this.#traffic.sessions) session.destroy();
    for (const { socket } of this.#traffic.connections.values()) socket.destroy();
    // Only now does the server close in its own way, which ends its timers.
    (this.#server as HttpServer).closeAllConnections?.();
  }
}

function isOfSession(socket: Socket, sessions: ReadonlySet<ServerHttp2Session>): boolean {
  if (sessions.size === 0) return false;
  for (const session of sessions) {
    if (session.destroyed) continue;
    const { remotePort, localPort } = session.socket;
    if (remotePort === socket.remotePort && localPort === socket.localPort) return true;
  }
  return false;
}

function netPrototype(): { close(this: NetServer, done: () => void): void } {
  return process.getBuiltinModule("net").Server.prototype;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
