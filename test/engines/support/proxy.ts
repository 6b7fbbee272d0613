// A TCP proxy that can hold back or cut what goes through it.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * "pass": as if it were not there. "hold": a partition that heals: what was sent
 * arrives when it does, as TCP sends it again. "cut": connections end, and no
 * new ones are made. "unruly": connections are unequally slow, so that what goes
 * through several comes in another order; some end when a request was sent, before
 * it arrives or before its answer does.
 */
export type ProxyMode = "pass" | "hold" | "cut" | "unruly";

/** Of an unruly proxy: the longest delay of a piece, in milliseconds, and how likely it is to be the last of its connection. */
const LONGEST_DELAY = 60;
const LOST = 0.02;

export class Proxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #mode: ProxyMode = "pass";

  private constructor(target: number) {
    this.#server = createServer((client) => {
      if (this.#mode === "cut") {
        client.destroy();
        return;
      }
      const upstream = connect(target, "127.0.0.1");
      const pair = [client, upstream] as const;
      this.#pairs.add(pair);
      for (const [from, to] of [pair, [upstream, client] as const]) {
        from.on("data", (chunk) => this.#pass(from, to, chunk));
        from.on("error", () => {});
        from.on("close", () => {
          this.#pairs.delete(pair);
          to.destroy();
        });
        if (this.#mode === "hold") from.pause();
      }
    });
  }

  /** One piece of a connection stays behind the one before. */
  #pass(from: Socket, to: Socket, chunk: Buffer): void {
    if (this.#mode !== "unruly") return void to.write(chunk);
    from.pause();
    const isLost = Math.random() < LOST;
    setTimeout(() => {
      if (isLost) from.destroy();
      else to.write(chunk);
      if (this.#mode !== "hold") from.resume();
    }, Math.random() * LONGEST_DELAY);
  }

  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set mode(mode: ProxyMode) {
    this.#mode = mode;
    for (const sockets of this.#pairs) {
      for (const socket of sockets) {
        if (mode === "cut") socket.destroy();
        else if (mode === "hold") socket.pause();
        else socket.resume();
      }
    }
  }

  async close(): Promise<void> {
    this.mode = "cut";
    this.#server.close();
    await once(this.#server, "close");
  }
}
