// Tells of releases by LISTEN, so that the next holder need not look again and
// again. A hint: where the connection is lost, those who wait look all the same.

import { realClock } from "../lease/clock.ts";

/** A client of `pg` of its own, not yet connected: a pool's connection cannot listen. */
export interface ListeningClient {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  on(event: "notification", listener: (message: { payload?: string | undefined }) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  end(): Promise<unknown>;
}

/** How long after a failure a connection is tried again, in milliseconds. */
const AGAIN = 1_000;

export class Releases {
  readonly #make: () => ListeningClient;
  readonly #watchers = new Map<string, Set<() => void>>();
  #client: ListeningClient | undefined;
  #stopRetry = () => {};

  constructor(make: () => ListeningClient) {
    this.#make = make;
  }

  /** @returns a function that ends it; the connection ends with the last */
  watch(name: string, changed: () => void): () => void {
    const watching = this.#watchers.get(name) ?? new Set();
    this.#watchers.set(name, watching);
    watching.add(changed);
    if (this.#client === undefined) void this.#listen();
    return () => {
      watching.delete(changed);
      if (watching.size === 0) this.#watchers.delete(name);
      if (this.#watchers.size === 0) this.#end();
    };
  }

  async #listen(): Promise<void> {
    const client = this.#make();
    this.#client = client;
    client.on("error", () => this.#failed(client));
    client.on("notification", ({ payload = "" }) => {
      for (const changed of this.#watchers.get(payload) ?? []) changed();
    });
    try {
      await client.connect();
      await client.query("listen atexit");
    } catch {
      this.#failed(client);
    }
  }

  #failed(client: ListeningClient): void {
    if (client !== this.#client) return;
    this.#end();
    this.#stopRetry = realClock.after(
      AGAIN,
      () => {
        if (this.#watchers.size > 0 && this.#client === undefined) void this.#listen();
      },
      false,
    );
  }

  #end(): void {
    this.#stopRetry();
    const client = this.#client;
    this.#client = undefined;
    client?.end().catch(() => {});
  }
}
