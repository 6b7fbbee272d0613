// A TCP proxy that can hold back or cut what goes through it.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * "pass": as if it were not there. "hold": a partition that heals: what was sent
 * arrives when it does, as TCP sends it again. "cut": connections end, and no
 * new ones are made.
 */
export type ProxyMode = "pass" | "hold" | "cut";

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
        from.on("data", (chunk) => void to.write(chunk));
        from.on("error", () => {});
        from.on("close", () => {
          this.#pairs.delete(pair);
          to.destroy();
        });
        if (this.#mode === "hold") from.pause();
      }
    });
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
