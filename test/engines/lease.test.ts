// What atexit/lease promises beside exclusion, in programs with a real PostgreSQL.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import postgresJs from "postgres";
import { count } from "../../src/index.ts";
import { type Engine, lead, lease, LeaseHeldError, LeaseLostError } from "../../src/lease/index.ts";
import { migrate, postgres } from "../../src/postgres/index.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

describe("a lease", { skip }, () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  const engine = (options = {}): Engine => postgres(pool, { ttl: 3_000, label: "the tests", ...options });

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    pool = new pg.Pool({ connectionString: server.url });
    pool.on("error", () => {});
  });

  after(async () => {
    await pool.end();
    await server.stop();
  });

  it("says what to do where the schema is not there, however long it may wait", async () => {
    await assert.rejects(lease(engine(), "early", { wait: 60_000 }), {
      code: "ERR_ATEXIT_ENGINE",
      message: /Apply the schema first: migrate\(client\), or atexit migrate/,
    });
    await Promise.all([migrate(pool), migrate(pool)]); // by several at once, and again
    await migrate(pool);
  });

  it("is on the stack while it is held, and leaves nothing behind", async () => {
    const held = await lease(engine(), "plain");
    assert.ok(held.isHeld() && !held.signal.aborted && held.token > 0n);
    assert.ok(held.remaining > 2_000 && held.remaining <= 2_400, `${held.remaining} ms`);
    assert.equal(count(), 2); // it, and the end of the session
    await held.release();
    await held.release();
    assert.equal(count(), 0);
    assert.equal(held.isHeld(), false);
    assert.throws(() => held.throwIfLost(), LeaseLostError);
    const { rows } = await pool.query("select * from atexit.owner");
    assert.deepEqual(rows, []);
  });

  it("tells others who holds it, since when, with what data, and what to do", async () => {
    const [mine, other] = [engine(), engine()];
    const held = await lease(mine, "told", { data: { port: 8080 } });
    await assert.rejects(lease(other, "told"), (error: unknown) => {
      assert.ok(error instanceof LeaseHeldError);
      const { code, lease: name, pid, program, data, freeIn } = error;
      assert.deepEqual(
        { code, name, pid, program, data },
        { code: "ERR_ATEXIT_LEASE_HELD", name: "told", pid: process.pid, program: "the tests", data: { port: 8080 } },
      );
      assert.ok(freeIn !== undefined && freeIn > 0 && freeIn <= 3_000);
      assert.match(error.message, /^The lease told is held by process \d+ on \S+ \(the tests\) since \S+ \(\d+ s\)\. /);
      assert.match(error.message, /Stop that process, or wait for it with \{ wait \}/);
      return true;
    });
    await assert.rejects(lease(mine, "told"), /is held by this process itself\. Release it first/);
    await held.release();
  });

  it("goes to those who wait in this process in their order, each with a greater token", async () => {
    const mine = engine();
    const order: number[] = [];
    const tokens: bigint[] = [];
    await Promise.all(
      [1, 2, 3].map(async (n) => {
        const held = await lease(mine, "queued", { wait: 10_000 });
        order.push(n);
        tokens.push(held.token);
        await held.release();
      }),
    );
    assert.deepEqual(order, [1, 2, 3]);
    assert.ok((tokens[0] as bigint) < (tokens[1] as bigint) && (tokens[1] as bigint) < (tokens[2] as bigint));
  });

  it("is not waited for any more when the signal fires, the time is over, or the engine ends", async () => {
    const [mine, other] = [engine(), engine()];
    const held = await lease(mine, "waited for");
    const stop = new AbortController();
    const stopped = lease(other, "waited for", { wait: Number.POSITIVE_INFINITY, signal: stop.signal });
    stop.abort(new Error("enough"));
    await assert.rejects(stopped, /enough/);
    await assert.rejects(lease(other, "waited for", { wait: 50 }), LeaseHeldError);
    const ended = lease(other, "waited for", { wait: 60_000 });
    const failure = assert.rejects(ended, { code: "ERR_ATEXIT_ENGINE_ENDED" });
    await other.end();
    await failure;
    await held.release();
    assert.equal(count(), 0);
  });

  it("has a fence that holds a transaction's place, and refuses an older token", async () => {
    const mine = engine();
    const first = await lease(mine, "fenced");
    const fence = (token: bigint) => pool.query("select atexit.fence('fenced', $1)", [String(token)]);
    await fence(first.token);
    await first.release();
    await assert.rejects(fence(first.token), { code: "ATX01" });
    const second = await lease(mine, "fenced");
    await fence(second.token);
    await assert.rejects(fence(first.token), { code: "ATX01" });
    await second.release();
  });

  it("is lost with the engine's word where an owner is declared dead, and taken anew", async () => {
    const mine = engine({ ttl: 600 });
    const held = await lease(mine, "dead");
    const { signal } = mine;
    const lost = new Promise((resolve) => held.signal.addEventListener("abort", () => resolve(held.signal.reason)));
    await pool.query("update atexit.owner set dead_at = clock_timestamp()");
    const reason = (await lost) as LeaseLostError;
    assert.equal(reason.reason, "dead");
    assert.ok(signal.aborted);
    const again = await lease(mine, "dead", { wait: 5_000 });
    assert.ok(again.token > held.token);
    assert.equal(mine.signal.aborted, false);
    await again.release();
  });

  it("is taken over by observation alone where that is asked for", async () => {
    // No heartbeat comes between the steps.
    const [mine, other] = [engine({ ttl: 60_000 }), engine({ ttl: 60_000 })];
    const held = await lease(mine, "observed");
    // As a server's clock that jumps forward has it: by that clock the holder is silent.
    await pool.query("update atexit.owner set expires_at = clock_timestamp() - interval '1 hour'");
    await assert.rejects(lease(other, "observed", { wait: 100, evidence: "observed" }), LeaseHeldError);
    assert.ok(held.isHeld());
    const next = await lease(other, "observed", { wait: 100 });
    assert.ok(next.token > held.token);
    await next.release();
    await mine.end();
  });

  it("is led by one at a time, who is told to end and waited for", async () => {
    const events: string[] = [];
    const [a, b] = ["a", "b"].map((name) =>
      lead(engine(), "led", async (term, ending) => {
        term.throwIfLost();
        events.push(`${name} begins`);
        await new Promise<void>((resolve) => ending.addEventListener("abort", () => resolve()));
        events.push(`${name} ends`);
      }),
    ) as [ReturnType<typeof lead>, ReturnType<typeof lead>];
    while (!a.isLeader && !b.isLeader) await new Promise((resolve) => setTimeout(resolve, 5));
    const [leader, follower, names] = a.isLeader ? [a, b, "ab"] : [b, a, "ba"];
    await leader.stop();
    while (!follower.isLeader) await new Promise((resolve) => setTimeout(resolve, 5));
    await follower.stop();
    assert.deepEqual(events, [`${names[0]} begins`, `${names[0]} ends`, `${names[1]} begins`, `${names[1]} ends`]);
    assert.equal(count(), 0);
  });

  it("is led no more where the task fails, unless there is somebody to tell", async () => {
    const failing = lead(engine(), "failing", () => Promise.reject(new Error("the task failed")));
    await assert.rejects(failing.done, /the task failed/);
    assert.equal(count(), 0);

    const told: unknown[] = [];
    let terms = 0;
    const going = lead(
      engine(),
      "failing",
      () => {
        terms += 1;
        throw new Error(`term ${terms}`);
      },
      { onError: (error) => told.push((error as Error).message) },
    );
    while (terms < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await going.stop();
    assert.deepEqual(told, ["term 1", "term 2"]);
    assert.equal(count(), 0);
  });

  it("takes a client of postgres.js as well", async () => {
    const sql = postgresJs(server.url, { max: 2 });
    const held = await lease(postgres(sql, { ttl: 3_000 }), "by postgres.js", { data: [1] });
    assert.ok(held.isHeld());
    await assert.rejects(lease(engine(), "by postgres.js"), { data: [1] });
    await held.release();
    await sql.end();
  });
});
