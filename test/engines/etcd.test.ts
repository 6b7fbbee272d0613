// Leases in three real members of etcd, under faults: each contender is a process
// of its own, behind a proxy of its own.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Arena } from "./support/arena.ts";
import { ETCD, GUARDED, monotonic, TAKE } from "./support/contender.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";
import type { Turn } from "./support/turns.ts";

const TTL = 3_000;
const MARGIN = TTL / 5;

const provided = provideEtcd();
const skip = "missing" in provided && provided.missing;

describe("leases in etcd", { skip }, () => {
  let cluster: EtcdCluster;

  before(async () => {
    cluster = await EtcdCluster.start(provided as Exclude<typeof provided, { missing: string }>);
  });

  after(() => cluster.stop());

  /** Contenders of one member that does not lead: the others may go. */
  const among = async (
    contenders: number,
    env: NodeJS.ProcessEnv,
    body: (arena: Arena) => Promise<void>,
  ): Promise<Turn[]> => {
    const port = cluster.ports[((await cluster.leader()) + 1) % 3] as number;
    return Arena.with({ engine: ETCD + TAKE, port, contenders, env: { TTL: String(TTL), ...env } }, body);
  };

  it("has one holder at a time, handed over as it is released", async (t) => {
    const turns = await among(3, {}, async (arena) => {
      let { contender, token } = await arena.holder();
      for (let n = 0; n < 15; n += 1) {
        contender.ask("release");
        ({ contender, token } = await arena.after(token));
      }
    });
    const gaps = turns.slice(1).map(({ begun }, n) => begun - (turns[n] as Turn).lastHeld);
    t.diagnostic(`handover: ${(gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? 0).toFixed(1)} ms`);
  });

  it("is free ttl after a SIGKILL without a guard, and half a second at most", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      const at = monotonic();
      contender.send("SIGKILL");
      const next = await arena.after(token);
      t.diagnostic(`next after ${Math.round(next.begun - at)} ms`);
      // etcd looks for what has expired each half second.
      assert.ok(next.begun - at <= TTL + 1_000, `next after ${next.begun - at} ms`);
    });
  });

  it("is given back by the guard after a SIGKILL, long before its ttl of 15 s", async (t) => {
    await among(3, { TTL: "15000", GUARD: "on" }, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted" && line.token === token);
      const at = monotonic();
      contender.send("SIGKILL");
      const next = await arena.after(token);
      t.diagnostic(`next after ${Math.round(next.begun - at)} ms`);
      assert.ok(next.begun - at <= GUARDED, `next after ${next.begun - at} ms`);
    });
  });

  it("is lost at once in a pause longer than ttl, and the fence refuses what comes late", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      contender.send("SIGSTOP");
      await arena.after(token);
      await sleep(200);
      contender.send("SIGCONT");
      await contender.tells((line) => line.is === "signal");
      t.diagnostic(`late writes refused: ${arena.count("refused")}`);
    });
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
  });

  it("is kept when etcd's leader dies, and lost when a quorum is away for longer than ttl", async (t) => {
    await among(3, {}, async (arena) => {
      const { contender, token } = await arena.holder();
      await contender.tells((line) => line.is === "accepted");
      const leader = await cluster.leader();
      const at = monotonic();
      await cluster.halt(leader);
      const line = await contender.tells(
        (told) => told.at > at + 200 && (told.is === "accepted" || told.is === "signal"),
      );
      t.diagnostic(`leader killed: ${line.is} after ${Math.round(line.at - at)} ms`);
      cluster.resume(leader);
      await cluster.ready();

      const holder = await arena.holder();
      const others = [0, 1, 2].filter((n) => cluster.ports[n] !== arena.port);
      for (const n of others) await cluster.halt(n);
      const signal = await holder.contender.tells((told) => told.is === "signal" && told.token === holder.token);
      await sleep(TTL / 2);
      for (const n of others) cluster.resume(n);
      await cluster.ready();
      const next = await arena.after(Math.max(token, holder.token));
      t.diagnostic(`quorum lost: the next ${Math.round(next.begun - signal.at)} ms after the signal`);
      assert.ok(next.begun > signal.at);
    });
  });
});
