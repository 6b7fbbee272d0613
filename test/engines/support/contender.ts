// Processes that want one lease, each behind a proxy of its own: they take it when
// they can, say all the time whether they are told that they hold it, and write
// where the fence lets them.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { makeProgramDirectory } from "../../support/package-under-test.ts";
import type { Proxy } from "./proxy.ts";
import type { Told } from "./turns.ts";

/**
 * Within which time after a SIGKILL a guard has given a lease back, in milliseconds.
 * It takes two starts of Node: less than a second on a machine that is idle, and twice
 * as long where others use both its cores.
 */
export const GUARDED = 3_000;

/** How a contender takes the lease that it wants. */
export const TAKE = `
  import { lease } from "atexit/lease";
  const take = () => lease(engine, "the one", { wait: Infinity, evidence: process.env.EVIDENCE ?? "engine" });`;

/** Leases in PostgreSQL: writes stand in a table, each let through by the fence in its own transaction. */
export const POSTGRES = `
  import pg from "pg";
  import { postgres } from "atexit/postgres";
  process.env.URL ??= "postgres://postgres@127.0.0.1:" + process.env.PORT + "/postgres";
  const pool = new pg.Pool({ connectionString: process.env.URL, max: 4, connectionTimeoutMillis: 1_000 });
  pool.on("error", () => {});
  const engine = postgres(pool, {
    ttl: Number(process.env.TTL),
    ...(process.env.GUARD === "on" ? { env: "URL" } : {}),
    ...(process.env.LISTEN === "on" ? { listen: () => new pg.Client(process.env.URL) } : {}),
  });
  const write = async (token) => {
    try {
      await pool.query({
        text: "with passed as (select atexit.fence('the one', $1)) insert into written (token) select $1 from passed",
        values: [token],
        query_timeout: 1_000,
      });
      return "accepted";
    } catch (error) {
      if (error.code === "ATX01") return "refused";
      throw error;
    }
  };`;

/** Leases in etcd: the fence is a comparison in the transaction that writes. */
export const ETCD = `
  import { etcd } from "atexit/etcd";
  process.env.URL ??= "http://127.0.0.1:" + process.env.PORT;
  const engine = etcd([process.env.URL], {
    ttl: Number(process.env.TTL),
    ...(process.env.GUARD === "on" ? { env: "URL" } : {}),
  });
  const base64 = (text) => Buffer.from(text).toString("base64");
  const write = async (token) => {
    const response = await fetch(process.env.URL + "/v3/kv/txn", {
      method: "POST",
      signal: AbortSignal.timeout(1_000),
      body: JSON.stringify({
        compare: [{ key: base64("atexit/l/the one"), target: "CREATE", create_revision: String(token) }],
        success: [{ request_put: { key: base64("written"), value: base64(String(token)) } }],
      }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer.succeeded ? "accepted" : "refused";
  };`;

/** What the program does with anything that has `take` and `write`. */
const CONTEND = `
  import { createInterface } from "node:readline";
  import { setTimeout as sleep } from "node:timers/promises";
  const tell = (line) => process.stdout.write(JSON.stringify({ at: Number(process.hrtime.bigint()) / 1e6, ...line }) + "\\n");
  const at = () => Number(process.hrtime.bigint()) / 1e6;
  let release = () => {};
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "release") release();
    else if (line === "exit") process.exit();
  });
  for (;;) {
    let held;
    try {
      held = await take();
      if (held === undefined) continue;
    } catch (error) {
      tell({ is: "error", message: String(error) });
      continue;
    }
    const token = Number(held.token);
    tell({ is: "begun", token });
    held.signal.addEventListener("abort", () => tell({ is: "signal", token, reason: held.signal.reason.reason }));
    let isAsked = false;
    release = () => (isAsked = true);
    while (!isAsked) {
      const before = at();
      if (!held.isHeld()) break;
      tell({ is: "held", token, at: before });
      write(token).then((is) => tell({ is, token }), () => {});
      await sleep(10);
    }
    await held.release();
    await sleep(50);
  }`;

export class Contender {
  readonly who: number;
  readonly proxy: Proxy;
  readonly told: Told[] = [];
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #wakes: (() => void)[] = [];

  /** @param engine a source that makes `take` and `write`, and finds the proxy's port in `PORT` */
  constructor(who: number, proxy: Proxy, engine: string, env: NodeJS.ProcessEnv) {
    this.who = who;
    this.proxy = proxy;
    this.#directory = makeProgramDirectory();
    const program = join(this.#directory, "contender.mjs");
    writeFileSync(program, engine + CONTEND);
    this.#child = spawn(process.execPath, [program], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env, PORT: String(proxy.port) },
    });
    this.#exited = once(this.#child, "exit").finally(() => this.#wake());
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.told.push(JSON.parse(line) as Told);
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** Resolves with the first line after `from` that is so. */
  async tells(isSo: (line: Told) => boolean, from = 0): Promise<Told> {
    for (let n = from; ;) {
      for (; n < this.told.length; n += 1) {
        const line = this.told[n] as Told;
        if (isSo(line)) return line;
      }
      if ((this.#child.exitCode ?? 0) !== 0) throw new Error(`contender ${this.who} has failed`);
      await new Promise<void>((resolve) => this.#wakes.push(resolve));
    }
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  ask(what: "release" | "exit"): void {
    this.#child.stdin?.write(`${what}\n`);
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      if (signal === "SIGKILL") this.#child.kill("SIGCONT");
      await this.#exited;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The time on the clock that contenders tell. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
