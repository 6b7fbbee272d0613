// Ends a server without failing its clients: it answers the requests that it has
// accepted, and takes no more.
//
//   serving --drainDelay--> closed to new connections --all answered--> gone
//                                                     --grace is over--> cut

import type { Server as HttpServer } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import { clearTimeout, now, setImmediate, setTimeout } from "../platform/node-builtins.ts";
import { configure, count, exiting } from "../index.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { currentRequest } from "./request-context.ts";
import { answerCloseCalls } from "./server-close-calls.ts";
import { type Connection, isBusy, Traffic } from "./server-traffic.ts";
import { closingHandle } from "./workers.ts";
import { process } from "../platform/process.ts";
import { sleep } from "../platform/wait.ts";

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
   * default three quarters of the grace period that is left after `drainDelay`; all of it but
   * half a second, where no other cleanup waits for its turn.
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

/** Which part of the time is the server's where others wait for their turn: what any cleanup has. */
const FAIR_SHARE = 3 / 4;

/** How long the end itself may take, in milliseconds. */
const CUT_WITHIN = 500;

/** The ends of servers that are watched. */
const leavings = new Map<NetServer, Leaving>();

/** When the shutdown began, once there is a server. */
let shutdownBegan: number | undefined;
/** The request in whose handler it began. */
let abandoned: object | undefined;
let isWatching = false;

/** Listens once for all servers: a listener for each would pass for a leak. */
function watchShutdown(): void {
  if (isWatching) return;
  isWatching = true;
  const begin = () => {
    shutdownBegan = now();
    abandoned = currentRequest();
    for (const leaving of leavings.values()) leaving.begin();
  };
  exiting.addEventListener("abort", begin, { once: true });
}

/** The end of a server. */
export interface ServerClosing extends AsyncDisposable {
  /**
   * Ends it now; a second call waits for the same end.
   *
   * @returns how many connections were cut: left when the time was over, with a client that waited for an answer.
   *   Of a server that speaks no HTTP, and of upgraded connections, nobody can tell: all count that are left
   */
  close(): Promise<{ readonly cut: number }>;
}

export function drainAtExit(callee: Callee, server: NetServer, options: ServerOptions): ServerClosing {
  const { drainDelay = 0, grace } = options;
  checkTime("drainDelay", drainDelay);
  if (grace !== undefined) checkTime("grace", grace);
  const leaving = Leaving.of(server, options);
  const { wholeGrace } = leaving;
  const registration = registerForCaller(
    callee,
    { name: "server", timeout: drainDelay + wholeGrace + CUT_WITHIN },
    () => leaving.end(),
  );
  server.once("close", () => {
    leaving.forget();
    registration.cancel();
  });
  const { close, ...handle } = closingHandle(registration);
  return { ...handle, close: () => close().then(() => ({ cut: leaving.cut })) };
}

/** What says good-bye when a server is drained: its framework, or who serves its upgraded connections. */
const goodByes = new WeakMap<NetServer, Set<() => Promise<void>>>();

/** Has something that says good-bye to a server's clients called when the server is drained. */
export function sayGoodBye(server: NetServer, goodBye: () => Promise<void>): void {
  const all = goodByes.get(server) ?? new Set();
  goodByes.set(server, all.add(goodBye));
}

/** The end of one server, which several may wait for. It watches the server from the beginning. */
export class Leaving {
  readonly #server: NetServer;
  #options: ServerOptions = {};
  readonly #traffic: Traffic;
  readonly #isHttp: boolean;
  #ended: Promise<void> | undefined;
  #isClosed = false;
  #restore = () => {};
  #connectionsCut = 0;

  /** Returns the end of a server, which is one for all who ask. */
  static of(server: NetServer, options?: ServerOptions): Leaving {
    const leaving = leavings.get(server) ?? new Leaving(server);
    leavings.set(server, leaving);
    if (options !== undefined) leaving.#options = options;
    return leaving;
  }

  private constructor(server: NetServer) {
    this.#server = server;
    this.#traffic = new Traffic(server);
    this.#isHttp = "closeIdleConnections" in server || "updateSettings" in server;
    watchShutdown();
  }

  /** How many connections were left when the time was over, whose clients waited for something. */
  get cut(): number {
    return this.#connectionsCut;
  }

  /** How long it may take at most when it is closed to new connections, in milliseconds. */
  get wholeGrace(): number {
    const { drainDelay = 0, grace } = this.#options;
    return grace ?? Math.max(0, configure({}).grace - drainDelay - CUT_WITHIN);
  }

  /** From now on, whoever closes the server has it drained. */
  begin(): void {
    this.#restore();
    this.#restore = answerCloseCalls(this.#server, () => this.end());
  }

  /** Drains the server; a second call waits for the same end. */
  end(): Promise<void> {
    this.#ended ??= this.#drain().finally(() => this.forget());
    return this.#ended;
  }

  /** Begins to drain the server. Resolves when nobody can send a further request. */
  async closed(): Promise<void> {
    await this.#until((connection) => isBusy(connection));
  }

  /** The same. Resolves when besides all are answered, but for streams and upgraded connections. */
  async answered(): Promise<void> {
    await this.#until(
      ({ pending, latest, isUpgraded }) => isUpgraded || (pending === 1 && latest?.headersSent === true),
    );
  }

  async #until(isReady: (connection: Connection) => boolean): Promise<void> {
    const ended = this.end().catch(() => {});
    let hasEnded = false;
    void ended.then(() => (hasEnded = true));
    while (!hasEnded && !(this.#isClosed && [...this.#traffic.connections.values()].every(isReady))) {
      await Promise.race([ended, sleep(TICK)]);
    }
  }

  forget(): void {
    leavings.delete(this.#server);
    this.#traffic.forget();
    this.#restore();
  }

  async #drain(): Promise<void> {
    this.begin();
    const { drainDelay = 0 } = this.#options;
    // Servers that end one after the other drain together.
    const since = shutdownBegan === undefined ? 0 : now() - shutdownBegan;
    if (drainDelay > since) await sleep(drainDelay - since);
    const beganAt = now();
    // Two turns let Node see the connections that the system has accepted.
    await nextTurn();
    await nextTurn();
    const closed = this.#close();
    this.#leave();
    this.#isClosed = true;
    // How it went is for those to say who have been promised it.
    for (const goodBye of goodByes.get(this.#server) ?? []) void goodBye().catch(() => {});
    await this.#quiet(beganAt);
    this.#cut();
    await closed;
  }

  /** Closes the listening socket, and not yet the connections that `http.Server.close()` closes with it. */
  #close(): Promise<void> {
    const close = closeOf(this.#server);
    return new Promise((resolve) => {
      if (!this.#server.listening) return resolve();
      // Resolves when the last connection has ended as well.
      close.call(this.#server, () => resolve());
    });
  }

  #leave(): void {
    const { connections, sessions } = this.#traffic;
    this.#traffic.leave();
    // The first GOAWAY refuses nothing yet; the second does, when all requests under way have come.
    for (const session of sessions) session.goaway(0, 2 ** 31 - 1);
    const { upgraded, connected } = this.#options;
    for (const { socket, isUpgraded } of connections.values()) {
      if (isUpgraded) upgraded?.(socket);
      else if (!this.#isHttp) connected?.(socket);
    }
  }

  /** Resolves when every connection has ended, or at the end of the time. */
  async #quiet(beganAt: number): Promise<void> {
    const refusal = beganAt + Math.min(UNDER_WAY, this.#grace) / 2;
    let hasRefused = false;
    for (;;) {
      const left = beganAt + this.#grace - now();
      if (this.#traffic.size === 0 || left <= 0) return;
      if (this.#isHttp) this.#endIdle();
      if (!hasRefused && now() >= refusal) {
        hasRefused = true;
        for (const session of this.#traffic.sessions) session.close();
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, Math.min(left, TICK)));
        this.#traffic.emptied = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** How long the rest may take as things are, in milliseconds: others that wait for their turn need time, too. */
  get #grace(): number {
    const { drainDelay = 0, grace } = this.#options;
    if (grace !== undefined || count() === 0) return this.wholeGrace;
    return Math.max(0, configure({}).grace - drainDelay) * FAIR_SHARE;
  }

  /** Ends the connections that have been idle for long enough. */
  #endIdle(): void {
    const { connections, sessions } = this.#traffic;
    for (const connection of connections.values()) {
      const { socket, idleSince } = connection;
      if (isAbandoned(connection)) socket.destroySoon();
      if (isBusy(connection) || now() - idleSince < UNDER_WAY) continue;
      if (!isOfSession(socket, sessions)) socket.destroySoon();
    }
  }

  /** Ends what is left. Who waited for nothing is not cut: with a short grace there has been no time to end it before. */
  #cut(): void {
    const { connections, sessions } = this.#traffic;
    const alone = [...connections.values()].filter(({ socket }) => !isOfSession(socket, sessions));
    const cut = alone.filter((connection) => !this.#isHttp || isBusy(connection));
    this.#connectionsCut = cut.length + [...sessions].filter((session) => this.#traffic.isAsked(session)).length;
    for (const session of sessions) session.destroy();
    for (const { socket } of connections.values()) socket.destroy();
    // Only now does the server close in its own way, which ends its timers.
    (this.#server as HttpServer).closeAllConnections?.();
  }
}

/** Whether a client has waited long enough for the answer of a handler that has ended the process. */
function isAbandoned({ latest, mark, pending }: Connection): boolean {
  if (abandoned === undefined || mark !== abandoned || pending !== 1 || latest?.writableEnded === true) return false;
  return now() - (shutdownBegan ?? now()) >= UNDER_WAY;
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

/** Returns how a server's listening socket alone is closed. Bun's http.Server is no net.Server, and its own way does that. */
function closeOf(server: NetServer): (this: NetServer, done: () => void) => void {
  const { Server } = process.getBuiltinModule("net");
  const { close } = server instanceof Server ? Server.prototype : (Object.getPrototypeOf(server) as NetServer);
  return close;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
