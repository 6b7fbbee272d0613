// Locks as others have them, each with the face that contenders need: what its
// documentation says how to take it, and how to learn that it is lost.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf } from "../../support/debian.ts";
import { noteMissing } from "../../support/missing.ts";
import { repository } from "../../support/package-under-test.ts";

const PACKAGES = ["etcd3@1.1.2", "redlock@5.0.0-beta.2"];

/** Where npm has installed them, beside this package and not in it; or why it has not. */
export function providePeers(): { readonly from: string } | { readonly missing: string } {
  const directory = join(repository, ".cache/lease-peers");
  const from = join(directory, "package.json");
  if (existsSync(join(directory, "node_modules/redlock"))) return { from };
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(from, '{ "private": true }\n');
    const args = ["install", "--no-audit", "--no-fund", "--no-save", ...PACKAGES];
    execFileSync("npm", args, { cwd: directory, stdio: "pipe" });
    return { from };
  } catch (error) {
    return { missing: noteMissing(PACKAGES.join(" and "), reasonOf(error)) };
  }
}

const COMMON = `
  import { createRequire } from "node:module";
  const require = createRequire(process.env.PEERS ?? import.meta.url);
  const ttl = Number(process.env.TTL);
  const write = async () => "accepted";
  /** What contenders ask: a lock that a signal says is lost. */
  const heldUntil = (token, signal, release) => ({ token, signal, isHeld: () => !signal.aborted, release });
  const lost = (controller) => () => controller.abort({ reason: "silence" });
  `;

/**
 * A row with an expiry, renewed by a timer; lost when its own time is over, or, as many
 * have it, only when a renewal has failed. Its table is there.
 */
export const plainRow = (lostBy: "its own timer" | "a renewal that fails") => `${COMMON}
  import pg from "pg";
  import { randomUUID } from "node:crypto";
  const pool = new pg.Pool({
    connectionString: "postgres://postgres@127.0.0.1:" + process.env.PORT + "/postgres",
    connectionTimeoutMillis: 1_000,
  });
  pool.on("error", () => {});
  const me = randomUUID();
  const take = async () => {
    const { rows } = await pool.query(
      "update plain set owner = $1, token = token + 1, expires_at = now() + $2 * interval '1 ms' " +
        "where expires_at < now() returning token",
      [me, ttl],
    );
    if (rows.length === 0) return new Promise((resolve) => setTimeout(resolve, 50));
    const controller = new AbortController();
    const lose = lost(controller);
    const inTime = ${JSON.stringify(lostBy)} === "its own timer" ? () => setTimeout(lose, ttl) : () => undefined;
    let expiry = inTime();
    const renewal = setInterval(async () => {
      const text = "update plain set expires_at = now() + $2 * interval '1 ms' where owner = $1";
      const { rowCount } = await pool.query(text, [me, ttl]).catch(() => ({ rowCount: 0 }));
      clearTimeout(expiry);
      if (rowCount === 1) expiry = inTime();
      else lose();
    }, ttl / 3);
    return heldUntil(rows[0].token, controller.signal, async () => clearInterval(renewal));
  };`;

/** A session's advisory lock: lost when its connection ends. The sequence of its tokens is there. */
export const ADVISORY = `${COMMON}
  import pg from "pg";
  const connectionString = "postgres://postgres@127.0.0.1:" + process.env.PORT + "/postgres";
  const take = async () => {
    const client = new pg.Client({ connectionString });
    const controller = new AbortController();
    client.on("error", lost(controller));
    client.on("end", lost(controller));
    await client.connect();
    const { rows } = await client.query("select pg_try_advisory_lock(1) as is_ours");
    if (!rows[0].is_ours) {
      await client.end();
      return new Promise((resolve) => setTimeout(resolve, 50));
    }
    const answer = await client.query("select nextval('advisory') as token");
    return heldUntil(answer.rows[0].token, controller.signal, () => client.end());
  };`;

/** The lock of npm's etcd3. It tells of a loss by its lease's event. */
export const ETCD3 = `${COMMON}
  const { Etcd3 } = require("etcd3");
  const client = new Etcd3({ hosts: "http://127.0.0.1:" + process.env.PORT });
  const take = async () => {
    const lock = client.lock("the one").ttl(ttl / 1_000);
    try {
      await lock.acquire();
    } catch {
      return new Promise((resolve) => setTimeout(resolve, 50));
    }
    const controller = new AbortController();
    lock.lease.on("lost", lost(controller));
    const { kvs } = await client.get("the one").exec();
    return heldUntil(kvs[0].create_revision, controller.signal, () => lock.release().catch(() => {}));
  };`;

/** npm's redlock on one Redis, extended by itself; a counter gives the tokens. */
export const REDLOCK = `${COMMON}
  import Redis from "ioredis";
  const { default: Redlock } = require("redlock");
  const redis = new Redis(Number(process.env.PORT), "127.0.0.1", { maxRetriesPerRequest: null });
  redis.on("error", () => {});
  const redlock = new Redlock([redis], { retryCount: 0, automaticExtensionThreshold: ttl / 3 });
  redlock.on("error", () => {});
  const take = () =>
    new Promise((resolve) => {
      redlock
        .using(["the one"], ttl, async (signal) => {
          const token = await redis.incr("tokens");
          const controller = new AbortController();
          signal.addEventListener("abort", lost(controller));
          await new Promise((release) => resolve(heldUntil(token, controller.signal, async () => release())));
        })
        .catch(() => setTimeout(resolve, 50));
    });`;
