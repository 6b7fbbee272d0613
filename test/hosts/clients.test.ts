// Clients of PostgreSQL, and what stands on them, closed at the end in each of their
// states: the real packages, on a real server, and without one.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run } from "../support/run.ts";
import { providePostgres, type RealServer, startPostgres } from "../support/servers.ts";
import { hosts, makeProject } from "./hosts.ts";

const postgres = providePostgres();
// Below the hosts, so that programs find them.
const project = makeProject(hosts);

/** What each program has: a cleanup below the client, and less time than what hangs would take. */
const HEAD = `
  import { register } from "atexit";
  import { closing } from "atexit/resources";
  let beganAt = 0;
  register(() => console.log("below", performance.now() - beganAt < 7_000 ? "in time" : "too late"));
  const leave = () => { beganAt = performance.now(); process.exit(); };
  const say = (promise) => promise.then(() => console.log("answered"), () => console.log("refused"));
`;

interface Client {
  /** Defines `db`. */
  readonly open: string;
  /** Waits until it can be asked. */
  readonly ready?: string;
  /** A promise of what takes a while. */
  readonly ask: string;
  readonly end: string;
  /** What the program's own end makes of what is under way. */
  readonly endCuts?: true;
  /** It says only when it is opened that there is no server. */
  readonly isOpenedBefore?: true;
}

const TYPEORM = `
  import { DataSource } from "typeorm";
  const db = new DataSource({ type: "postgres", url: process.env.URL });
  const opened = db.initialize().catch(() => {});`;

const clients: Readonly<Record<string, Client>> = {
  "Drizzle on pg": {
    open: 'import { drizzle } from "drizzle-orm/node-postgres"; const db = drizzle(process.env.URL);',
    ask: 'db.execute("SELECT pg_sleep(0.4)")',
    end: "db.$client.end()",
  },
  "Drizzle on postgres.js": {
    open: 'import { drizzle } from "drizzle-orm/postgres-js"; const db = drizzle(process.env.URL);',
    ask: 'db.execute("SELECT pg_sleep(0.4)")',
    end: "db.$client.end()",
  },
  "Drizzle, a transaction": {
    open: 'import { drizzle } from "drizzle-orm/node-postgres"; const db = drizzle(process.env.URL);',
    ask: 'db.transaction(async (t) => { for (let n = 0; n < 2; n += 1) await t.execute("SELECT pg_sleep(0.2)"); })',
    end: "db.$client.end()",
  },
  TypeORM: {
    open: TYPEORM,
    ready: "await opened;",
    ask: 'db.query("SELECT pg_sleep(0.4)")',
    end: "db.destroy()",
    endCuts: true,
  },
  "TypeORM, a transaction": {
    open: TYPEORM,
    ready: "await opened;",
    ask: 'db.transaction(async (t) => { for (let n = 0; n < 2; n += 1) await t.query("SELECT pg_sleep(0.2)"); })',
    end: "db.destroy()",
    endCuts: true,
    isOpenedBefore: true,
  },
  Sequelize: {
    open: 'import { Sequelize } from "sequelize"; const db = new Sequelize(process.env.URL, { logging: false });',
    ask: 'db.query("SELECT pg_sleep(0.4)")',
    end: "db.close()",
  },
  "Sequelize, a transaction": {
    open: 'import { Sequelize } from "sequelize"; const db = new Sequelize(process.env.URL, { logging: false });',
    ask: `db.transaction(async (transaction) => {
      for (let n = 0; n < 2; n += 1) await db.query("SELECT pg_sleep(0.2)", { transaction });
    })`,
    end: "db.close()",
  },
};

/** `begun` says that the server is at work on what was asked: another connection of the program looks. */
const BEGUN = `
  import pg from "pg";
  const begun = async () => {
    const client = new pg.Client(process.env.URL);
    await client.connect();
    const text = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(' || $1 || ')' AND pid <> pg_backend_pid()";
    const count = async () => (await client.query(text, ["0.2"])).rowCount + (await client.query(text, ["0.4"])).rowCount;
    while ((await count()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await client.end();
  };`;

const states: Readonly<Record<string, (client: Client) => readonly [source: string, lines: readonly string[]]>> = {
  "at work": ({ ask }) => [`${BEGUN} say(${ask}); await begun(); leave();`, ["answered", "below in time"]],
  "just asked": ({ ask }) => [`say(${ask}); leave();`, ["answered", "below in time"]],
  idle: ({ ask }) => [`await ${ask}; leave();`, ["below in time"]],
  "never used": () => ["leave();", ["below in time"]],
  "being ended, at work": ({ ask, end, endCuts }) => [
    `${BEGUN} say(${ask}); await begun(); ${end}; leave();`,
    [endCuts ? "refused" : "answered", "below in time"],
  ],
  ended: ({ ask, end }) => [`await ${ask}; await ${end}; leave();`, ["below in time"]],
};

async function check(client: Client, body: string, url: string, lines: readonly string[]): Promise<void> {
  const directory = mkdtempSync(join(project, "program-"));
  mkdirSync(join(directory, "journals"));
  const file = join(directory, "program.mjs");
  writeFileSync(file, `${HEAD}${client.open}\nclosing(db);\n${client.ready ?? ""}\n${body}`);
  const env = { ...process.env, URL: url, ATEXIT_DIR: join(directory, "journals") };
  const ended = await run(process.execPath, [file], { cwd: directory, env });
  assert.deepEqual([ended.stdout.split("\n").slice(0, -1), ended.stderr, ended.code], [lines, "", 0]);
}

// One after the other: a program asks the server whether it is at work.
describe("clients on a real PostgreSQL", { skip: "missing" in postgres && postgres.missing }, () => {
  let server: RealServer;
  before(async () => {
    if ("home" in postgres) server = await startPostgres(postgres.home);
  });
  after(() => server.stop());

  for (const [name, client] of Object.entries(clients)) {
    for (const [state, make] of Object.entries(states)) {
      const [source, lines] = make(client);
      test(`${name}: ${state}`, () => check(client, source, server.url, lines));
    }
  }

  for (const [state, stop] of [
    ["a job under way", ""],
    ["a job under way, being stopped", "void db.stop();"],
  ] as const) {
    test(`graphile-worker: ${state}`, () => {
      const open = `
        import { run, Logger } from "graphile-worker";
        let begun = () => {};
        const hasBegun = new Promise((resolve) => (begun = resolve));
        const job = async () => { begun(); await new Promise((resolve) => setTimeout(resolve, 400)); console.log("done"); };
        const logger = new Logger(() => () => {});
        const db = await run({ connectionString: process.env.URL, noHandleSignals: true, logger, taskList: { job } });`;
      const source = `await db.addJob("job", {}); await hasBegun; ${stop} leave();`;
      return check({ open, ask: "", end: "" }, source, server.url, ["done", "below in time"]);
    });
  }
});

describe("clients with nobody at the other end", { concurrency: 2 }, () => {
  for (const [name, client] of Object.entries(clients)) {
    const lines = [...(client.isOpenedBefore ? [] : ["refused"]), "below in time"];
    test(`${name}: just asked`, () =>
      check(client, `say(${client.ask}); leave();`, "postgres://postgres@127.0.0.1:1/none", lines));
  }
});
