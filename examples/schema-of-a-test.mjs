// A schema that is dropped, whatever becomes of this process and its machine: at its
// end, by its guard after SIGKILL, and else by a keeper. It takes PostgreSQL in
// DATABASE_URL, and the schema of `atexit migrate --from "$DATABASE_URL"`.
//
//   ATEXIT_FROM="$DATABASE_URL" atexit keeper --actions examples/cleanups.mjs

import { setTimeout as sleep } from "node:timers/promises";
import { plant } from "atexit/keeper";
import { postgres } from "atexit/postgres";
import pg from "pg";
import { cleanups } from "./cleanups.mjs";

const name = `test_${process.pid}`;
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 2_000 });
pool.on("error", () => {});
const engine = postgres(pool, { env: "DATABASE_URL", ttl: Number(process.env.TTL ?? 15_000) });

await plant(engine, cleanups.dropSchema, name); // first the recipe, then the schema
await pool.query(`create schema ${name}`);
console.log(`made ${name}`);
await sleep(Number(process.argv[2] ?? 60_000));
await pool.end();
