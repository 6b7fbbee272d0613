// Leases in PostgreSQL where wall clocks are wrong by an hour, and jump.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { migrate } from "../../src/postgres/index.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { Arena } from "./support/arena.ts";
import { POSTGRES, TAKE } from "./support/contender.ts";
import { provideWallClock, WallClock } from "./support/wall-clock.ts";

const TTL = 2_000;

const provided = providePostgres();
const faketime = provideWallClock();
const skip = ("missing" in provided && provided.missing) || ("missing" in faketime && faketime.missing);

describe("leases in PostgreSQL, with clocks that are an hour off", { skip }, () => {
  const given = faketime as Exclude<typeof faketime, { missing: string }>;
  let clock: WallClock;
  let server: PostgresServer;
  let client: pg.Pool;

  before(async () => {
    clock = new WallClock(given);
    server = await startPostgres((provided as { home: string }).home, { env: clock.env });
    client = new pg.Pool({ connectionString: server.url });
    client.on("error", () => {});
    await migrate(client);
    await client.query("create table written (id serial, token bigint)");
  });

  after(async () => {
    await client.end();
    await server.stop();
    clock.remove();
  });

  const among = (env: NodeJS.ProcessEnv, body: (arena: Arena) => Promise<void>) =>
    Arena.with({ engine: POSTGRES + TAKE, port: server.port, contenders: 3, env: { TTL: String(TTL), ...env } }, body);

  const serverIsAhead = async () => {
    const { rows } = await client.query<{ at: number }>("select extract(epoch from clock_timestamp())::float as at");
    return ((rows[0]?.at ?? 0) * 1_000 - Date.now()) / 3_600_000;
  };

  const late = async () => {
    const { rows } = await client.query<{ id: number }>(
      "select id from (select id, token, max(token) over (order by id) as greatest from written) w where token < greatest",
    );
    return rows;
  };

  it("have one holder at a time by observation, whichever way the server's clock jumps", async (t) => {
    const turns = await among({ EVIDENCE: "observed" }, async (arena) => {
      const first = await arena.holder();
      for (const hours of [1, 0, -1, 0]) {
        clock.set(hours);
        assert.ok(Math.abs((await serverIsAhead()) - hours) < 0.1);
        await sleep(1.5 * TTL); // more than anybody would have to wait for
      }
      assert.equal((await arena.holder()).token, first.token, "the clock has taken nobody's lease");
      for (const hours of [1, -1]) {
        const { contender, token } = await arena.holder();
        contender.send("SIGSTOP");
        clock.set(hours);
        const at = performance.now();
        await arena.after(token);
        t.diagnostic(`${hours} h: next ${Math.round(performance.now() - at)} ms after a pause has begun`);
        contender.send("SIGCONT");
        await contender.tells((line) => line.is === "signal" && line.token === token);
        clock.set(0);
      }
    });
    assert.equal(turns.length, 3);
    assert.deepEqual(await late(), []);
  });

  it("by the server's word: its jump back holds nobody up for long", async (t) => {
    await among({}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      contender.send("SIGKILL");
      clock.set(-1);
      const at = performance.now();
      await arena.after(token);
      const took = performance.now() - at;
      t.diagnostic(`next ${Math.round(took)} ms after SIGKILL`);
      assert.ok(took < 2 * TTL + 1_000, `${took} ms: by observation, and not an hour later`);
      clock.set(0);
    });
  });

  it("by the server's word: its jump ahead makes two holders for one heartbeat at most, and the fence refuses the first", async (t) => {
    const told = { turns: 0, late: 0 };
    try {
      await among({}, async (arena) => {
        const { contender, token } = await arena.holder();
        await contender.tells((line) => line.is === "accepted");
        // Where the holder's heartbeat is the first that comes after a jump, nobody has seen it late.
        let next: Awaited<ReturnType<Arena["after"]>> | undefined;
        for (let hours = 1; next === undefined; hours += 1) {
          clock.set(hours);
          next = await Promise.race([arena.after(token), sleep(TTL, undefined)]);
        }
        const begun = next.begun;
        const lost = await contender.tells((line) => line.is === "signal" && line.token === token);
        told.late = lost.at - begun;
        clock.set(0);
      });
    } catch (error) {
      assert.match((error as Error).message, /held it with token \d+ for \d+ ms after token \d+ began/);
      told.turns = 2;
    }
    t.diagnostic(`signal ${Math.round(told.late)} ms after the next has begun`);
    assert.ok(told.late < TTL, "the next heartbeat tells");
    assert.deepEqual(await late(), [], "the fence has accepted a write of an earlier turn");
  });

  it("do not mind what the contenders' clocks say", async () => {
    const clocks = [new WallClock(given), new WallClock(given)];
    try {
      clocks[0]?.set(-1);
      clocks[1]?.set(1);
      for (const { env } of clocks) {
        await among(env, async (arena) => {
          const { contender, token } = await arena.holder();
          await contender.tells((line) => line.is === "accepted");
          contender.send("SIGSTOP");
          await arena.after(token);
          contender.send("SIGCONT");
          await contender.tells((line) => line.is === "signal");
        });
      }
    } finally {
      for (const one of clocks) one.remove();
    }
    assert.deepEqual(await late(), []);
  });
});
