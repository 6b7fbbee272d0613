// One scheduler among many: start several, and one of them leads. Kill the leader
// with SIGKILL, and within a second the next one does: the dead one's guard gives
// its lease back. It takes PostgreSQL in DATABASE_URL, and the schema of
// `atexit migrate --from "$DATABASE_URL"`.

import { setTimeout as sleep } from "node:timers/promises";
import { lead } from "atexit/lease";
import { postgres } from "atexit/postgres";
import pg from "pg";

const name = process.argv[2] ?? `process ${process.pid}`;
const connectionString = process.env.DATABASE_URL;
const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 2_000 });
pool.on("error", () => {});
const engine = postgres(pool, {
  env: "DATABASE_URL", // where the guard finds the server
  label: name,
  listen: () => new pg.Client({ connectionString }), // hears of releases at once
});

console.log(`${name} stands for election`);
lead(engine, "scheduler", async (term, ending) => {
  console.log(`${name} leads, with token ${term.token}`);
  while (!ending.aborted) {
    term.throwIfLost(); // before each write
    await sleep(100, undefined, { signal: ending }).catch(() => {});
  }
  console.log(`${name} leads no more`);
});
