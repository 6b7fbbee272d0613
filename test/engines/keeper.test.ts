// Cleanups that outlive their process, on a real PostgreSQL: planted, and carried
// out at its end, by its guard, or by a keeper.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Carried } from "../../src/keeper/index.ts";
import { migrate } from "../../src/postgres/index.ts";
import { makeProgramDirectory } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { until } from "../support/run.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";

const TTL = 2_000;

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

/** Each action writes down that it was carried out, by whom, and in which order. */
const ACTIONS = `
  import { actions } from "atexit/keeper";
  import pg from "pg";
  const note = async (what) => {
    const client = new pg.Client(process.env.URL);
    await client.connect();
    await client.query("insert into done (what, pid) values ($1, $2)", [what, process.pid]);
    await client.end();
  };
  export const cleanups = actions(
    {
      drop: (name) => note("drop " + name),
      fail: async () => { throw new Error("this cannot be done"); },
    },
    { ...(process.env.MODULE === "on" ? { module: import.meta.url } : {}) },
  );`;

const START = `
  import pg from "pg";
  import { postgres } from "atexit/postgres";
  import * as keeping from "atexit/keeper";
  const pool = new pg.Pool({ connectionString: process.env.URL, allowExitOnIdle: true });
  pool.on("error", () => {});
  const engine = postgres(pool, { ttl: Number(process.env.TTL), ...(process.env.GUARD === "on" ? { env: "URL" } : {}) });
  const tell = (line) => process.stdout.write(JSON.stringify(line) + "\\n");
  `;

const PLANTER = `${START}
  import { cleanups } from "./cleanups.mjs";
  import { register } from "atexit";
  for (const name of ["a", "b", "c"]) await keeping.plant(engine, cleanups.drop, name);
  const timer = setInterval(() => {}, 1_000);
  process.stdin.on("data", (line) => String(line) === "exit" ? process.exit() : clearInterval(timer)).unref();
  tell("planted");
  `;

const KEEPER = `${START}
  const keeper = await keeping.keeper(engine, new URL("./cleanups.mjs", import.meta.url));
  for (const outcome of ["carried", "failed", "dead letter", "refused"]) keeper.on(outcome, tell);
  tell("keeping");
  `;

class Program {
  readonly child: ChildProcess;
  readonly lines: unknown[] = [];
  readonly ended: Promise<unknown>;

  constructor(program: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [program], { env, stdio: ["pipe", "pipe", "inherit"] });
    this.ended = once(this.child, "exit");
    let rest = "";
    this.child.stdout?.on("data", (chunk) => {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines.map((line) => JSON.parse(line) as unknown));
    });
  }

  async tells(line: unknown): Promise<void> {
    await until(() => this.lines.includes(line) || this.child.exitCode !== null);
    assert.ok(this.lines.includes(line), "the program has failed");
  }

  get carried(): Carried[] {
    return this.lines.filter((line): line is Carried => typeof line === "object");
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill(signal);
    await this.ended;
  }
}

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 20_000; !(await isSo()); await sleep(20)) {
    assert.ok(performance.now() < end, "it did not happen within 20 s");
  }
}

describe("a recipe in PostgreSQL", { skip }, () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let directory: string;

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    pool = new pg.Pool({ connectionString: server.url });
    pool.on("error", () => {});
    await migrate(pool);
    await pool.query("create table done (id serial, what text, pid int)");
    directory = makeProgramDirectory();
    for (const [name, source] of Object.entries({ cleanups: ACTIONS, planter: PLANTER, keeper: KEEPER })) {
      writeFileSync(join(directory, `${name}.mjs`), source);
    }
  });

  after(async () => {
    rmSync(directory, { recursive: true });
    await pool.end();
    await server.stop();
  });

  const started: Program[] = [];
  const start = (place: Place, name: string, env: NodeJS.ProcessEnv = {}): Program => {
    const all = { ...place.environment, URL: server.url, TTL: String(TTL), ...env };
    const program = new Program(join(directory, `${name}.mjs`), all);
    started.push(program);
    return program;
  };

  afterEach(async () => {
    for (const program of started.splice(0)) await program.kill();
  });

  const done = async () =>
    (await pool.query<{ what: string; pid: number }>("delete from done returning id, what, pid")).rows;
  const count = async (table: "recipe" | "owner") =>
    (await pool.query<{ n: number }>(`select count(*)::int as n from atexit.${table}`)).rows[0]?.n;

  it("is carried out by its own process on an exit, in its place on the stack, and then nobody knows of it", () =>
    inPlace(async (place) => {
      for (const how of ["exit", "end", "SIGTERM"] as const) {
        const planter = start(place, "planter");
        await planter.tells("planted");
        assert.equal(await count("recipe"), 3);
        if (how === "SIGTERM") planter.child.kill("SIGTERM");
        else planter.child.stdin?.write(how);
        await planter.ended;
        assert.deepEqual(
          (await done()).map(({ what, pid }) => [what, pid]),
          ["drop c", "drop b", "drop a"].map((what) => [what, planter.child.pid]),
        );
        assert.deepEqual([await count("recipe"), await count("owner")], [0, 0], how);
      }
    }));

  it("is carried out by the guard after SIGKILL, where it knows the module", () =>
    inPlace(async (place) => {
      const planter = start(place, "planter", { GUARD: "on", MODULE: "on", TTL: "60000" });
      await planter.tells("planted");
      await planter.kill();
      await eventually(async () => (await count("owner")) === 0);
      assert.deepEqual(
        (await done()).map(({ what }) => what),
        ["drop c", "drop b", "drop a"],
      );
      await place.quiet();
    }));

  it("is a keeper's after SIGKILL, once it has seen the owner silent for its ttl, last in, first out", () =>
    inPlace(async (place) => {
      const planter = start(place, "planter");
      await planter.tells("planted");
      const keeper = start(place, "keeper");
      await keeper.tells("keeping");
      const killedAt = performance.now();
      await planter.kill();
      await until(() => keeper.carried.length === 3);
      const took = performance.now() - killedAt;
      assert.ok(took > TTL, `${took} ms`);
      assert.deepEqual(
        (await done()).map(({ what }) => what),
        ["drop c", "drop b", "drop a"],
      );
      assert.deepEqual(
        keeper.carried.map(({ action, args, outcome, planter: user, owner }) => [
          action,
          args,
          outcome,
          user,
          owner.pid,
        ]),
        ["c", "b", "a"].map((name) => ["drop", [name], "carried", "postgres", planter.child.pid]),
      );
      await eventually(async () => (await count("recipe")) === 0);
      await keeper.kill("SIGTERM");
      assert.equal(await count("owner"), 0);
    }));
});
