// The checker sees what is wrong with locks as others have them: each is struck by
// the faults that leases bear, in the same arena.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import {
  type PostgresServer,
  providePostgres,
  provideRedis,
  type RealServer,
  startPostgres,
  startRedis,
} from "../support/servers.ts";
import { Arena } from "./support/arena.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";
import { ADVISORY, ETCD3, plainRow, providePeers, REDLOCK } from "./support/peers.ts";
import { providePgbouncer, startPgbouncer } from "./support/pgbouncer.ts";

const postgres = providePostgres();
const etcd = provideEtcd();
const redis = provideRedis();
const peers = providePeers();
const pgbouncer = providePgbouncer();
const missing = (...all: readonly object[]) =>
  all.map((one) => (one as { missing?: string }).missing).find((reason) => reason !== undefined) ?? false;

/** A contender's timer may be the first to run after a pause; seldom several times in a row. */
const ROUNDS = 10;
const TWO_HOLDERS = /held it with token \d+ for \d+ ms after token \d+ began/;

type Fault = "a pause" | "a partition";

/** Strikes the holder until two have been told at once that they hold it, and tells of the first time. */
async function strike(fault: Fault, engine: string, port: number, ttl: number): Promise<string> {
  const env = { TTL: String(ttl), PEERS: (peers as { from?: string }).from };
  for (let round = 1; round <= ROUNDS; round += 1) {
    try {
      await Arena.with({ engine, port, contenders: 2, env, isExpectedToFail: true }, async (arena) => {
        const { contender, token } = await arena.holder();
        await sleep(100);
        if (fault === "a pause") contender.send("SIGSTOP");
        else contender.proxy.mode = "hold";
        await arena.after(token);
        await sleep(50);
        const from = contender.told.length;
        contender.send("SIGCONT");
        if (fault === "a pause") await contender.tells(() => true, from);
        await sleep(50);
      });
    } catch (error) {
      assert.match((error as Error).message, TWO_HOLDERS);
      return `round ${round}: ${(error as Error).message.split("\n")[0]}`;
    }
  }
  throw new Error(`one holder at a time in ${ROUNDS} rounds of ${fault}`);
}

describe("locks in PostgreSQL as others have them", { skip: missing(postgres) }, () => {
  let server: PostgresServer;
  let client: pg.Pool;

  before(async () => {
    server = await startPostgres((postgres as { home: string }).home);
    client = new pg.Pool({ connectionString: server.url });
    client.on("error", () => {});
    await client.query("create sequence advisory");
  });

  after(async () => {
    await client.end();
    await server.stop();
  });

  for (const fault of ["a pause", "a partition"] as const) {
    const lostBy = fault === "a pause" ? "its own timer" : "a renewal that fails";

    it(`a row with an expiry, lost by ${lostBy}, has two holders in ${fault}`, async (t) => {
      await client.query("drop table if exists plain");
      await client.query("create table plain (owner uuid, token bigint not null, expires_at timestamptz not null)");
      await client.query("insert into plain values (null, 0, now())");
      t.diagnostic(await strike(fault, plainRow(lostBy), server.port, 1_000));
    });

    it(`an advisory lock has one holder in ${fault}, and nobody else gets it until that is over`, async (t) => {
      const env = { TTL: "1000" };
      await Arena.with({ engine: ADVISORY, port: server.port, contenders: 2, env }, async (arena) => {
        const { contender, token } = await arena.holder();
        if (fault === "a pause") contender.send("SIGSTOP");
        else contender.proxy.mode = "hold";
        await sleep(4_000);
        assert.equal((await arena.holder()).token, token, "four times as long as a lease would have lasted");
        contender.send("SIGCONT");
        contender.proxy.mode = "pass";
        contender.ask("release");
        await arena.after(token);
      });
      t.diagnostic("nobody for 4 s");
    });
  }

  it("an advisory lock has two holders through a transaction pooler", { skip: missing(pgbouncer) }, async (t) => {
    const pooler = await startPgbouncer(pgbouncer as Exclude<typeof pgbouncer, { missing: string }>, server, 1);
    try {
      const env = { TTL: "1000" };
      await assert.rejects(
        Arena.with(
          { engine: ADVISORY, port: pooler.port, contenders: 2, env, isExpectedToFail: true },
          async (arena) => {
            const { token } = await arena.holder();
            await arena.after(token);
            await sleep(200);
          },
        ),
        TWO_HOLDERS,
      );
      t.diagnostic("at once");
    } finally {
      await pooler.stop();
    }
  });
});

describe("npm's etcd3", { skip: missing(etcd, peers) }, () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start(etcd as Exclude<typeof etcd, { missing: string }>);
  });
  after(() => cluster.stop());

  for (const fault of ["a pause", "a partition"] as const) {
    it(`has two holders in ${fault}`, async (t) => {
      t.diagnostic(await strike(fault, ETCD3, cluster.ports[0] as number, 2_000));
    });
  }
});

describe("npm's redlock", { skip: missing(redis, peers) }, () => {
  let server: RealServer;
  before(async () => {
    server = await startRedis(redis as Exclude<typeof redis, { missing: string }>);
  });
  after(() => server.stop());

  for (const fault of ["a pause", "a partition"] as const) {
    it(`has two holders in ${fault}`, async (t) => {
      t.diagnostic(await strike(fault, REDLOCK, server.port, 1_000));
    });
  }
});
