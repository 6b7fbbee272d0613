// atexit doctor --from, with what real engines lack.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { migrate } from "../../src/postgres/index.ts";
import { atexit, inPlace } from "../support/place.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";
import { providePgbouncer, startPgbouncer } from "./support/pgbouncer.ts";

type Findings = Record<string, { is: string; found: string; advice?: string }>;

async function doctor(from: string): Promise<{ code: number | null; findings: Findings }> {
  return inPlace(async (place) => {
    const { code, stdout, stderr } = await atexit(place, ["doctor", "--json", "--from", from]);
    assert.equal(stderr, "");
    return { code, findings: JSON.parse(stdout) as Findings };
  });
}

const all = ({ findings }: { findings: Findings }) =>
  Object.fromEntries(Object.entries(findings).map(([name, { is }]) => [name, is]));

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;
const pgbouncer = providePgbouncer();
const etcd = provideEtcd();

describe("atexit doctor --from a PostgreSQL server", { skip }, () => {
  const { home } = provided as { home: string };
  let server: PostgresServer;
  let pool: pg.Pool;
  const as = (user: string) => server.url.replace("postgres@", `${user}@`);

  before(async () => {
    server = await startPostgres(home, { settings: { fsync: "on" } });
    pool = new pg.Pool({ connectionString: server.url });
    pool.on("error", () => {});
  });

  after(async () => {
    await pool.end();
    await server.stop();
  });

  it("says that the schema is missing, older or newer, or that a user has no rights", async () => {
    const missing = await doctor(server.url);
    assert.equal(missing.code, 1);
    assert.match(JSON.stringify(missing.findings["schema"]), /"problem".*"missing".*atexit migrate/);
    assert.equal(missing.findings["a lease"]?.is, "problem");

    await migrate(pool);
    const healthy = await doctor(server.url);
    assert.equal(healthy.code, 0, JSON.stringify(healthy.findings));
    assert.deepEqual(new Set(Object.values(all(healthy))), new Set(["ok"]));

    for (const [is, version] of [
      ["problem", 1],
      ["note", 1_000],
    ]) {
      await pool.query(
        `create or replace function atexit.version() returns integer language sql immutable as 'select ${version}'`,
      );
      assert.equal((await doctor(server.url)).findings["schema"]?.is, is);
    }
    await migrate(pool);

    await pool.query("create role stranger login");
    const stranger = await doctor(as("stranger"));
    assert.match(JSON.stringify(stranger.findings["rights"]), /may not call acquire, beat, .*--grant ROLE/);
    await migrate(pool, { grant: ["stranger"] });
    assert.deepEqual(all(await doctor(as("stranger"))), all(healthy));
  });

  it("says where a crash or a failover may lose what was granted", async () => {
    await pool.query("create role hasty login; alter role hasty set synchronous_commit = off");
    assert.match(JSON.stringify((await doctor(as("hasty"))).findings["durability"]), /problem.*synchronous_commit/);

    const standby = await startPostgres(home, { primary: server });
    try {
      const following = async () => (await pool.query("select from pg_stat_replication")).rows.length === 1;
      while (!(await following())) await new Promise((resolve) => setTimeout(resolve, 20));
      const { code, findings } = await doctor(server.url);
      assert.equal(code, 0);
      assert.match(JSON.stringify(findings["durability"]), /"note".*1 standby servers follow asynchronously/);
      assert.match(JSON.stringify((await doctor(standby.url)).findings["server"]), /"problem".*a standby/);
    } finally {
      await standby.stop();
    }
  });

  it(
    "knows a transaction pooler, with one connection to the server and with several",
    { skip: "missing" in pgbouncer && pgbouncer.missing },
    async () => {
      for (const connections of [1, 5]) {
        const pooler = await startPgbouncer(
          pgbouncer as Exclude<typeof pgbouncer, { missing: string }>,
          server,
          connections,
        );
        try {
          const { code, findings } = await doctor(pooler.url);
          assert.match(
            JSON.stringify(findings["connection pooler"]),
            /"note".*by the transaction/,
            String(connections),
          );
          assert.equal(code, 0, JSON.stringify(findings));
        } finally {
          await pooler.stop();
        }
      }
    },
  );

  it("says that nobody carries out what dead owners have left", async () => {
    const id = crypto.randomUUID();
    await pool.query("select atexit.begin($1, 60000, '{}')", [id]);
    await pool.query("select atexit.plant($1, 1, 'clean', '[]', null)", [id]);
    assert.equal((await doctor(server.url)).findings["keepers"]?.found, "1 recipes are planted, and none waits");
    await pool.query("select atexit.finish($1, false)", [id]);
    assert.match(
      JSON.stringify((await doctor(server.url)).findings["keepers"]),
      /"problem".*"1 recipes of dead owners/,
    );
    await pool.query("update atexit.recipe set state = 'dead letter'");
    assert.match(JSON.stringify((await doctor(server.url)).findings["keepers"]), /"note".*"1 dead letters/);
  });

  it("says of a server that does not answer that nothing can be found out", async () => {
    const { code, findings } = await doctor("postgres://postgres@127.0.0.1:1/postgres");
    assert.equal(code, 1);
    assert.deepEqual(new Set(Object.values(findings).map(({ is }) => is)), new Set(["problem"]));
  });
});

describe("atexit doctor --from etcd", { skip: "missing" in etcd && etcd.missing }, () => {
  it("says which members are away, and that a lease is taken and given back", async () => {
    const cluster = await EtcdCluster.start(etcd as Exclude<typeof etcd, { missing: string }>);
    try {
      const from = [0, 1, 2].map((n) => cluster.url(n)).join(",");
      const healthy = await doctor(from);
      assert.deepEqual(all(healthy), { members: "ok", quorum: "ok", alarms: "ok", "a lease": "ok", keepers: "ok" });
      await cluster.halt(2);
      await cluster.ready();
      const { findings } = await doctor(from);
      assert.match(JSON.stringify(findings["members"]), new RegExp(`"note".*2 of 3 answer.*${cluster.url(2)}`));
      await cluster.halt(1);
      const alone = await doctor(from);
      assert.equal(alone.code, 1);
      assert.equal(alone.findings["a lease"]?.is, "problem");
    } finally {
      await cluster.stop();
    }
  });
});
