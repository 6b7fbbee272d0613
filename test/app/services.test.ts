// The examples of services: with a PostgreSQL pool, with Express, Fastify and
// NestJS, each ended under load.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { examplesDirectory } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { linesOf, printed } from "../support/run.ts";
import { providePostgres, type RealServer, startPostgres } from "../support/servers.ts";

const examples = examplesDirectory();
const postgres = providePostgres();

interface Served {
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly answered: number;
  readonly refused: number;
  readonly cut: number;
  readonly probes: readonly number[];
}

/** Starts an example, asks it from twenty clients, and sends SIGTERM in the midst. */
async function serve(
  place: Place,
  example: string,
  env: NodeJS.ProcessEnv,
  isRight: (text: string) => boolean,
): Promise<Served> {
  const child = spawn(process.execPath, [join(examples, example)], {
    env: { PATH: process.env["PATH"], HOME: place.work, ATEXIT_DIR: place.journals, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  await printed(child, "Listening on ").catch((error: unknown) => assert.fail(`${error} ${stderr}`));
  const port = Number(/Listening on (\d+)/.exec(stdout)?.[1]);

  const counts = { answered: 0, refused: 0, cut: 0 };
  const agent = new Agent({ keepAlive: true });
  const ask = (path: string) =>
    new Promise<number>((resolve) => {
      const asked = get({ host: "127.0.0.1", port, path, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
        response.once("close", () => {
          if (path === "/") counts[response.complete && isRight(text) ? "answered" : "cut"] += 1;
          resolve(response.statusCode as number);
        });
      });
      asked.once("error", (error: NodeJS.ErrnoException) => {
        counts[error.code === "ECONNREFUSED" ? "refused" : "cut"] += 1;
        resolve(0);
      });
    });
  const probes = await Promise.all(["/livez", "/readyz", "/startupz", "/nowhere"].map(ask));
  const clients = Array.from({ length: 20 }, async () => {
    while (counts.refused === 0) await ask("/");
  });
  while (counts.answered < 200) await sleep(5);
  child.kill("SIGTERM");
  await Promise.all(clients);
  agent.destroy();
  const [code, signal] = await exited;
  return { status: signal ?? code, stdout, stderr, probes, ...counts };
}

describe("the service with a PostgreSQL pool, under load", { skip: "missing" in postgres && postgres.missing }, () => {
  let server: RealServer;
  before(async () => {
    if ("home" in postgres) server = await startPostgres(postgres.home);
  });
  after(() => server.stop());

  test("SIGTERM: every request that was accepted is answered, then the pool is closed", () =>
    inPlace(async (place) => {
      const isRight = (text: string) => (JSON.parse(text) as { tables: number }).tables > 10;
      const served = await serve(place, "app-service.mjs", { DATABASE_URL: server.url }, isRight);
      assert.deepEqual([served.status, served.stderr, served.cut], ["SIGTERM", "", 0]);
      assert.deepEqual(served.probes.slice(0, 3), [200, 200, 200]);
      const state = join(place.work, ".local/state/orders");
      assert.equal(linesOf(join(state, "orders.log")).at(-1), "=== orders stopped ===");
      assert.match(served.stdout, /\[orders\] Log closed\.\n\[orders\] Lock released\. Uptime: [\d.]+s\n$/);
      const client = new pg.Client(server.url);
      await client.connect();
      const { rows } = await client.query("select count(*) from pg_stat_activity where application_name = 'orders'");
      assert.equal(rows[0].count, "0");
      await client.end();
    }));
});

describe("frameworks, under load", () => {
  for (const [example, atTheEnd] of [
    ["express", /^\[express-app\] Log closed/m],
    ["fastify", /Plugins closed\.\n\[fastify-app\] Log closed\./],
    ["nest", /Modules destroyed\.\n\[nest-app\] Log closed\./],
  ] as const) {
    test(`${example}: every request that was accepted is answered, then its own hooks run`, () =>
      inPlace(async (place) => {
        const served = await serve(place, `frameworks/${example}.mjs`, {}, (text) => text === "hello");
        assert.deepEqual([served.status, served.stderr, served.cut], ["SIGTERM", "", 0]);
        assert.deepEqual(served.probes, [200, 200, 200, 404]);
        assert.match(served.stdout, atTheEnd);
      }));
  }
});
