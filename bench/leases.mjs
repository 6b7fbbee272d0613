// What leases in PostgreSQL cost, beside `select 1` on the same connection, and how
// many processes one server bears. It needs a server of its own:
//
//   DATABASE_URL=postgres://… node bench/leases.mjs [OWNERS ...]

import pg from "pg";
import { lease } from "../dist/lease.js";
import { migrate, postgres } from "../dist/postgres.js";

const ROUNDS = 15;
const TIMES = 200;
const SECONDS = 5;
const CONNECTIONS = 8;
const owners = process.argv.slice(2).map(Number);

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 });
await migrate(pool);
await pool.query("truncate atexit.owner, atexit.lease");

const engine = postgres(pool);
const others = await lease(engine, "keeps the session open");
const ratios = { acquire: [], release: [] };
const times = { "select 1": [], acquire: [], release: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  let [plain, acquired, released] = [0, 0, 0];
  for (let n = 0; n < TIMES; n += 1) {
    const start = performance.now();
    await pool.query("select 1");
    const asked = performance.now();
    const held = await lease(engine, `lease ${n}`);
    const taken = performance.now();
    await held.release();
    released += performance.now() - taken;
    acquired += taken - asked;
    plain += asked - start;
  }
  if (round === 0) continue; // everything is compiled by then
  ratios.acquire.push(acquired / plain);
  ratios.release.push(released / plain);
  times["select 1"].push(plain / TIMES);
  times.acquire.push(acquired / TIMES);
  times.release.push(released / TIMES);
}
for (const [what, all] of Object.entries(times)) console.log(`${what}: ${median(all).toFixed(3)} ms`);
for (const [what, all] of Object.entries(ratios)) console.log(`${what} / select 1: ${median(all).toFixed(2)}`);

console.log(`memory of a lease in this process: ${await memoryOfALease()} bytes`);
await others.release();
await pool.end();
for (const count of owners.length > 0 ? owners : [10_000, 100_000]) await heartbeats(count);

async function memoryOfALease(count = 2_000) {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const held = [];
  for (let n = 0; n < count; n += 1) held.push(await lease(engine, `many ${n}`));
  globalThis.gc?.();
  const after = process.memoryUsage().heapUsed;
  await Promise.all(held.map((one) => one.release()));
  return Math.round((after - before) / count);
}

/** Heartbeats of so many owners, as fast as some connections bear. */
async function heartbeats(count) {
  const many = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: CONNECTIONS });
  await many.query("truncate atexit.owner, atexit.lease");
  const { rows } = await many.query(
    "insert into atexit.owner (id, ttl, expires_at, who) " +
      'select gen_random_uuid(), \'1 hour\', now() + \'1 hour\', \'{"host":"web-1","pid":4711,"program":"node"}\' ' +
      "from generate_series(1, $1) returning id",
    [count],
  );
  await many.query("vacuum analyze atexit.owner");
  const end = performance.now() + SECONDS * 1_000;
  let sent = 0;
  const beat = async () => {
    while (performance.now() < end) {
      const { id } = rows[Math.floor(Math.random() * count)];
      await many.query({ name: "beat", text: "select * from atexit.beat($1)", values: [id] });
      sent += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, beat));
  const { rows: stats } = await many.query(
    "select round(100.0 * n_tup_hot_upd / nullif(n_tup_upd, 0)) as hot, pg_total_relation_size('atexit.owner') as size " +
      "from pg_stat_user_tables where schemaname = 'atexit' and relname = 'owner'",
  );
  const [{ hot, size }] = stats;
  console.log(
    `heartbeats at ${count} owners: ${Math.round(sent / SECONDS)}/s, ${hot ?? "?"} % HOT, ${Math.round(size / count)} bytes an owner`,
  );
  await many.end();
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}
