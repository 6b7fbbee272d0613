// The connections of a server, and the requests under way in each.

import type { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { now } from "../platform/node-builtins.ts";
import { enterRequest } from "./request-context.ts";
import { bytesOf } from "./request-size.ts";

export interface Connection {
  readonly socket: Socket;
  /** Requests that have not been answered yet. */
  pending: number;
  /** The response to the latest of them. */
  latest: ServerResponse | undefined;
  /** What marks the code that belongs to it. */
  mark: object | undefined;
  /** When the connection last became idle. */
  idleSince: number;
  /** How many bytes have come that belong to requests which are known. */
  read: number;
  isUpgraded: boolean;
}

// oxlint-disable-next-line typescript/no-explicit-any -- what Node declares for listeners
type Listener = (...args: any[]) => void;

/** Events whose first listener would change how the server handles requests. */
const DECISIVE = new Set(["upgrade", "connect", "checkContinue", "checkExpectation"]);

export class Traffic {
  readonly connections = new Map<Socket, Connection>();
  readonly sessions = new Set<ServerHttp2Session>();
  /** How many streams each session has. */
  readonly #streams = new WeakMap<ServerHttp2Session, number>();
  /** Called when the last connection has ended. */
  emptied = () => {};
  /** The responses that have not been sent to their end. */
  readonly #responses = new Set<ServerResponse>();
  /** Whether each answer is its connection's last. */
  #isLeaving = false;
  /** The sockets below TLS, by their peers' addresses. */
  readonly #handshakes = new Map<string, Socket>();
  readonly #isTls: boolean;
  readonly #server: EventEmitter;
  readonly #listeners: readonly (readonly [event: string, listener: Listener])[];

  constructor(server: EventEmitter) {
    this.#server = server;
    this.#isTls = "setSecureContext" in server;
    const requested = (request: IncomingMessage, response: ServerResponse) => this.#requested(request, response);
    const upgraded = (_: unknown, socket: Socket) => this.#upgraded(socket);
    this.#listeners = [
      ["connection", (socket: Socket) => this.#connected(socket)],
      ["secureConnection", (socket: Socket) => this.#secured(socket)],
      ["request", requested],
      ["checkContinue", (...args: Parameters<typeof requested>) => requested(...args)],
      ["checkExpectation", (...args: Parameters<typeof requested>) => requested(...args)],
      ["upgrade", upgraded],
      ["connect", (...args: Parameters<typeof upgraded>) => upgraded(...args)],
      ["session", (session: ServerHttp2Session) => this.#opened(session)],
    ];
    for (const [event, listener] of this.#listeners) {
      if (!DECISIVE.has(event) || server.listenerCount(event) > 0) server.prependListener(event, listener);
    }
    server.on("newListener", this.#added);
  }

  /** Follows the program's own first listener of an event that decides. */
  readonly #added = (event: string | symbol, added: Listener): void => {
    if (typeof event !== "string" || !DECISIVE.has(event)) return;
    const [, own] = this.#listeners.find(([name]) => name === event) as readonly [string, Listener];
    if (added === own || this.#server.listeners(event).includes(own)) return;
    this.#server.prependListener(event, own);
  };

  forget(): void {
    this.#server.off("newListener", this.#added);
    for (const [event, listener] of this.#listeners) this.#server.off(event, listener);
  }

  get size(): number {
    return this.connections.size + this.sessions.size;
  }

  /** Makes each connection's answer its last from now on. */
  leave(): void {
    this.#isLeaving = true;
    for (const { latest } of this.connections.values()) if (latest !== undefined) makeLast(latest);
  }

  #connected(socket: Socket): void {
    if (this.#isTls && !("encrypted" in socket)) this.#shaking(socket);
    const connection = {
      socket,
      pending: 0,
      latest: undefined,
      mark: undefined,
      idleSince: now(),
      read: 0,
      isUpgraded: false,
    };
    this.connections.set(socket, connection);
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
    // A program's listener of "checkContinue" hands its request on to those of "request".
    if (connection === undefined || this.#responses.has(response)) return;
    const before = connection.latest;
    connection.pending += 1;
    connection.latest = response;
    connection.mark = enterRequest();
    connection.read += bytesOf(request) ?? Number.POSITIVE_INFINITY;
    this.#responses.add(response);
    if (this.#isLeaving) {
      if (before !== undefined) makeNotLast(before);
      // More has come in the same breath: its answer, and not this one, is the last.
      if (request.socket.bytesRead <= connection.read) makeLast(response);
    }
    response.once("close", () => this.#answered(connection, response));
  }

  #answered(connection: Connection, response: ServerResponse): void {
    this.#responses.delete(response);
    connection.pending -= 1;
    if (connection.pending > 0) return;
    connection.latest = undefined;
    connection.idleSince = now();
    connection.read = connection.socket.bytesRead;
  }

  #upgraded(socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection !== undefined) connection.isUpgraded = true;
  }

  #opened(session: ServerHttp2Session): void {
    this.sessions.add(session);
    const count = (change: number) => this.#streams.set(session, (this.#streams.get(session) ?? 0) + change);
    session.on("stream", (stream) => {
      count(1);
      stream.once("close", () => count(-1));
    });
    session.once("close", () => {
      this.sessions.delete(session);
      this.#ended();
    });
  }

  /** Reports whether the client of a session waits for an answer. */
  isAsked(session: ServerHttp2Session): boolean {
    return (this.#streams.get(session) ?? 0) > 0;
  }

  #ended(): void {
    if (this.size === 0) this.emptied();
  }
}

/** Reports whether a client waits for an answer, or has begun to ask. */
export function isBusy({ socket, pending, read, isUpgraded }: Connection): boolean {
  return pending > 0 || isUpgraded || socket.bytesRead > read;
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Tells the client that no request may follow on this connection. */
function makeLast(response: ServerResponse): void {
  response.shouldKeepAlive = false; // Node writes the header, and ends the connection after it
  if (!response.headersSent) response.setHeader("Connection", "close");
}

/** Lets further answers follow one that was to be the last, as long as nobody has been told. */
function makeNotLast(response: ServerResponse): void {
  if (response.headersSent) return;
  response.shouldKeepAlive = true;
  response.removeHeader("Connection");
}
