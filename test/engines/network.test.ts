// Leases through a network that delays, re-orders and loses, and through a
// transaction pooler: one holder at a time, and no write of an earlier turn.

import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import pg from "pg";
import { migrate } from "../../src/postgres/index.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { Arena, type ArenaOptions } from "./support/arena.ts";
import { ETCD, POSTGRES, TAKE } from "./support/contender.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";
import { providePgbouncer, startPgbouncer } from "./support/pgbouncer.ts";

const provided = providePostgres();
const pgbouncer = providePgbouncer();
const etcd = provideEtcd();

/** Hands a lease over so often, with every contender behind an unruly proxy. */
const HANDOVERS = 12;

async function throughUnruly(t: TestContext, options: ArenaOptions): Promise<void> {
  const turns = await Arena.with(options, async (arena) => {
    for (const { proxy } of arena.contenders) proxy.mode = "unruly";
    let { contender, token } = await arena.holder();
    for (let n = 0; n < HANDOVERS; n += 1) {
      contender.ask("release");
      ({ contender, token } = await arena.after(token));
    }
    t.diagnostic(`accepted ${arena.count("accepted")}, refused ${arena.count("refused")}`);
  });
  assert.ok(turns.length > HANDOVERS);
}

describe("leases in PostgreSQL, through a bad network", { skip: "missing" in provided && provided.missing }, () => {
  let server: PostgresServer;
  let client: pg.Pool;

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    client = new pg.Pool({ connectionString: server.url });
    client.on("error", () => {});
    await migrate(client);
    await client.query("create table written (id serial, token bigint)");
  });

  after(async () => {
    await client.end();
    await server.stop();
  });

  const checkWritten = async () => {
    const { rows } = await client.query<{ accepted: number; late: number }>(
      `select count(*)::int as accepted, (count(*) filter (where token < greatest))::int as late
       from (select token, max(token) over (order by id) as greatest from written) w`,
    );
    assert.ok((rows[0]?.accepted ?? 0) > 0);
    assert.equal(rows[0]?.late, 0, "the fence has accepted a write of an earlier turn");
  };

  const options = (port: number): ArenaOptions => ({
    engine: POSTGRES + TAKE,
    port,
    contenders: 3,
    env: { TTL: "2000" },
  });

  it("have one holder at a time where requests are late, lost, or come in another order", async (t) => {
    await throughUnruly(t, options(server.port));
    await checkWritten();
  });

  it(
    "are right through a transaction pooler, with one connection to the server and with several",
    {
      skip: "missing" in pgbouncer && pgbouncer.missing,
    },
    async (t) => {
      for (const connections of [1, 3]) {
        const given = pgbouncer as Exclude<typeof pgbouncer, { missing: string }>;
        const pooler = await startPgbouncer(given, server, connections);
        try {
          await Arena.with(options(pooler.port), async (arena) => {
            const { contender, token } = await arena.holder();
            await contender.tells((line) => line.is === "accepted");
            contender.send("SIGSTOP"); // its heartbeats end, and the pooler keeps its connection
            const next = await arena.after(token);
            contender.send("SIGCONT");
            await contender.tells((line) => line.is === "signal" && line.token === token);
            next.contender.ask("release");
            await arena.after(next.token);
          });
          await throughUnruly(t, options(pooler.port));
        } finally {
          await pooler.stop();
        }
      }
      await checkWritten();
    },
  );
});

describe("leases in etcd, through a bad network", { skip: "missing" in etcd && etcd.missing }, () => {
  it("have one holder at a time where requests are late, lost, or come in another order", async (t) => {
    const cluster = await EtcdCluster.start(etcd as Exclude<typeof etcd, { missing: string }>);
    try {
      const port = cluster.ports[0] as number;
      await throughUnruly(t, { engine: ETCD + TAKE, port, contenders: 3, env: { TTL: "3000" } });
    } finally {
      await cluster.stop();
    }
  });
});
