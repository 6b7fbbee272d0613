// Leases in a real PostgreSQL, under faults: each contender is a process of its
// own, behind a proxy of its own.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { migrate } from "../../src/postgres/index.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { Arena } from "./support/arena.ts";
import { GUARDED, monotonic, POSTGRES, TAKE } from "./support/contender.ts";
import type { Turn } from "./support/turns.ts";

const TTL = 2_000;
const MARGIN = TTL / 5;

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

describe("leases in PostgreSQL", { skip }, () => {
  let server: PostgresServer;
  let client: pg.Pool;

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    client = new pg.Pool({ connectionString: server.url });
    client.on("error", () => {});
    await migrate(client);
    await client.query("create table written (id serial, token bigint)");
  });

  after(async () => {
    await client.end();
    await server.stop();
  });

  const among = (contenders: number, env: NodeJS.ProcessEnv, body: (arena: Arena) => Promise<void>): Promise<Turn[]> =>
    Arena.with({ engine: POSTGRES + TAKE, port: server.port, contenders, env: { TTL: String(TTL), ...env } }, body);

  /** What the fence let through stands in the order of its tokens. */
  const checkWritten = async () => {
    const { rows } = await client.query<{ id: number }>(
      "select id from (select id, token, max(token) over (order by id) as greatest from written) w where token < greatest",
    );
    assert.deepEqual(rows, [], "the fence has accepted a write of an earlier turn");
  };

  it("has one holder at a time, handed over as it is released", async (t) => {
    const turns = await among(3, { LISTEN: "on" }, async (arena) => {
      let { contender, token } = await arena.holder();
      for (let n = 0; n < 20; n += 1) {
        contender.ask("release");
        ({ contender, token } = await arena.after(token));
      }
    });
    assert.ok(turns.length > 20);
    await checkWritten();
    const gaps = turns.slice(1).map(({ begun }, n) => begun - (turns[n] as Turn).lastHeld);
    t.diagnostic(`handover: ${middle(gaps).toFixed(1)} ms`);
  });

  it("is given back on an exit that JavaScript sees", async (t) => {
    await among(2, { LISTEN: "on" }, async (arena) => {
      for (const how of ["exit", "SIGTERM"] as const) {
        const { contender, token } = await arena.holder();
        const at = monotonic();
        if (how === "exit") contender.ask("exit");
        else contender.send(how);
        const next = await arena.after(token);
        assert.ok(next.begun - at < TTL / 2, `next after ${next.begun - at} ms`);
        t.diagnostic(`${how}: next after ${Math.round(next.begun - at)} ms`);
        await arena.join();
      }
    });
  });

  it("is free ttl after a SIGKILL without a guard, and half a second at most", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      const at = monotonic();
      contender.send("SIGKILL");
      const next = await arena.after(token);
      t.diagnostic(`next after ${Math.round(next.begun - at)} ms`);
      assert.ok(next.begun - at <= TTL + 500, `next after ${next.begun - at} ms`);
    });
    await checkWritten();
  });

  it("is given back by the guard after a SIGKILL, long before its ttl of 15 s", async (t) => {
    await among(3, { TTL: "15000", GUARD: "on", LISTEN: "on" }, async (arena) => {
      for (let n = 0; n < 2; n += 1) {
        const { contender, token } = await arena.holder();
        await contender.tells((line) => line.is === "accepted" && line.token === token);
        const at = monotonic();
        contender.send("SIGKILL");
        const next = await arena.after(token);
        t.diagnostic(`next after ${Math.round(next.begun - at)} ms`);
        assert.ok(next.begun - at <= GUARDED, `next after ${next.begun - at} ms`);
        await arena.join();
      }
    });
    await checkWritten();
  });

  it("is kept through a pause shorter than ttl less the margin, and lost at once in a longer one", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      await pauseFor(contender, TTL / 3);
      const from = contender.told.length;
      await contender.tells((line) => line.is === "held" && line.token === token, from);

      const { contender: second, token: other } = await arena.holder();
      contender.send("SIGSTOP");
      const next = await arena.after(other);
      await sleep(200);
      second.send("SIGCONT");
      const lost = await second.tells((line) => line.is === "signal");
      assert.equal((lost as { reason: string }).reason.match(/silence|dead/) !== null, true);
      t.diagnostic(`late writes refused: ${arena.count("refused")}, next after ${Math.round(next.begun - lost.at)} ms`);
    });
    await checkWritten();
  });

  it("is lost to a holder that is cut off, half a margin at least before the next has it", async (t) => {
    for (const mode of ["hold", "cut"] as const) {
      const turns = await among(3, {}, async (arena) => {
        const { contender, token } = await arena.holder();
        await contender.tells((line) => line.is === "accepted");
        contender.proxy.mode = mode;
        const next = await arena.after(token);
        contender.proxy.mode = "pass";
        await contender.tells((line) => line.is === "signal");
        next.contender.ask("release");
        await arena.after(next.token);
      });
      const [first, second] = turns as [Turn, Turn];
      const ahead = second.begun - (first.signalled ?? Number.POSITIVE_INFINITY);
      t.diagnostic(`${mode}: signal ${Math.round(ahead)} ms before the next`);
      assert.ok(ahead >= MARGIN / 2, `${mode}: signal ${ahead} ms before the next`);
    }
    await checkWritten();
  });

  it("does not stand still when a waiter's request arrives after it has gone back to waiting", async (t) => {
    await among(2, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      const waiter = arena.contenders.find((other) => other !== contender);
      assert.ok(waiter);
      await sleep(TTL / 2); // it is waiting
      waiter.proxy.mode = "hold";
      contender.ask("release");
      await sleep(TTL);
      waiter.proxy.mode = "pass";
      const at = monotonic();
      let newest = await arena.holder();
      if (newest.token === token) newest = await arena.after(token);
      newest.contender.ask("release");
      const next = await arena.after(newest.token);
      t.diagnostic(`changes hands ${Math.round(next.begun - at)} ms after it has healed`);
      assert.ok(next.begun - at < 2 * TTL);
    });
    await checkWritten();
  });

  it("survives a restart and a crash of the server with its token", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      for (const how of ["fast", "crash"] as const) {
        await contender.tells((line) => line.is === "accepted");
        const at = monotonic();
        await server.halt(how);
        await server.resume();
        const from = contender.told.length;
        const line = await contender.tells((told) => told.is === "accepted" || told.is === "signal", from);
        t.diagnostic(
          `${how}: away for ${Math.round(monotonic() - at)} ms, ${line.is} with token ${(line as { token: number }).token}`,
        );
        if (monotonic() - at < TTL - MARGIN)
          assert.deepEqual([line.is, (line as { token: number }).token], ["accepted", token]);
      }
    });
    await checkWritten();
  });

  it("is lost in an outage longer than ttl, and taken again after it", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      await server.halt("crash");
      const signal = await contender.tells((line) => line.is === "signal");
      await sleep(TTL / 2);
      await server.resume();
      const at = monotonic();
      const next = await arena.after(token);
      t.diagnostic(
        `signal, then the next ${Math.round(next.begun - signal.at)} ms later, ${Math.round(next.begun - at)} ms after the server`,
      );
      assert.ok(next.begun > signal.at);
    });
    await checkWritten();
  });
});

async function pauseFor(contender: { send(signal: NodeJS.Signals): void }, ms: number): Promise<void> {
  contender.send("SIGSTOP");
  await sleep(ms);
  contender.send("SIGCONT");
}

function middle(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
