// The checker sees what is wrong with a lease as many write it themselves: a row with
// an expiry, renewed by a timer, with "the timer still runs" for "I hold it".

import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { providePostgres, startPostgres } from "../support/servers.ts";
import { Arena } from "./support/arena.ts";

/** It has the face of atexit/lease, as far as contenders go. */
const PLAIN_ROW = `
  import pg from "pg";
  import { randomUUID } from "node:crypto";
  const pool = new pg.Pool({
    connectionString: "postgres://postgres@127.0.0.1:" + process.env.PORT + "/postgres",
    connectionTimeoutMillis: 1_000,
  });
  pool.on("error", () => {});
  const me = randomUUID();
  const ttl = Number(process.env.TTL);
  const take = async () => {
    const { rows } = await pool.query(
      "update plain set owner = $1, token = token + 1, expires_at = now() + $2 * interval '1 ms' " +
        "where expires_at < now() returning token",
      [me, ttl],
    );
    if (rows.length === 0) return new Promise((resolve) => setTimeout(resolve, 50));
    const controller = new AbortController();
    const lose = () => controller.abort({ reason: "silence" });
    let expiry = setTimeout(lose, ttl);
    const renewal = setInterval(async () => {
      const text = "update plain set expires_at = now() + $2 * interval '1 ms' where owner = $1";
      const { rowCount } = await pool.query(text, [me, ttl]).catch(() => ({ rowCount: 0 }));
      clearTimeout(expiry);
      if (rowCount === 1) expiry = setTimeout(lose, ttl);
      else lose();
    }, ttl / 3);
    return {
      token: rows[0].token,
      signal: controller.signal,
      isHeld: () => !controller.signal.aborted,
      release: async () => clearInterval(renewal),
    };
  };
  const write = async () => "accepted";
  `;

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

it("a row with an expiry and a timer has two holders after a pause, and the checker sees it", { skip }, async () => {
  const server = await startPostgres((provided as { home: string }).home);
  const client = new pg.Pool({ connectionString: server.url });
  client.on("error", () => {});
  try {
    await client.query("create table plain (owner uuid, token bigint not null, expires_at timestamptz not null)");
    await client.query("insert into plain values (null, 0, now())");
    const options = {
      engine: PLAIN_ROW,
      port: server.port,
      contenders: 2,
      env: { TTL: "1000" },
    };
    await assert.rejects(
      Arena.with(options, async (arena) => {
        // The timer may be first after a pause; seldom several times in a row.
        for (let round = 0; round < 10; round += 1) {
          const { contender, token } = await arena.holder();
          await sleep(100);
          contender.send("SIGSTOP");
          await arena.after(token);
          await sleep(50);
          contender.send("SIGCONT");
          await contender.tells((line) => line.is === "signal" && line.token === token);
        }
      }),
      /held it with token \d+ for \d+ ms after token \d+ began/,
    );
  } finally {
    await client.end();
    await server.stop();
  }
});
