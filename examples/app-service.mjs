// A service with a PostgreSQL pool and an HTTP server: DATABASE_URL says where
// the database is, PORT where it listens.

import { createServer } from "node:http";
import { start } from "atexit/app";
import pg from "pg";

const app = await start("orders");

// Opened first, so closed last: answers that are under way still need it.
const pool = app.use(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4, application_name: "orders" }));

const http = createServer(async (request, response) => {
  if (app.probe(request, response)) return; // /livez, /readyz, /startupz
  const { rows } = await pool.query("select count(*) as tables, pg_sleep(0.01) from pg_tables");
  response.setHeader("content-type", "application/json").end(JSON.stringify({ tables: Number(rows[0].tables) }));
});

const { port } = await app.serve(http, { host: "127.0.0.1", port: Number(process.env.PORT ?? 0) });
await app.ready();
app.log(`Listening on ${port}`);
console.log(`Listening on ${port}`);
