// Many owners die at once, under faults of keepers, engines and clocks: every recipe
// is carried out, in its order, none too early, and none of an owner that lives.

import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { migrate } from "../../src/postgres/index.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { monotonic } from "./support/contender.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";
import { checkCarried, eventually, Keeping, ON_ETCD, ON_POSTGRES, planOf, type Program } from "./support/keeping.ts";
import { Proxy } from "./support/proxy.ts";
import { provideWallClock, WallClock } from "./support/wall-clock.ts";

/** A thousand owners with ten recipes each take some ten minutes: ATEXIT_TESTS_OWNERS=1000. */
const OWNERS = Number(process.env["ATEXIT_TESTS_OWNERS"] ?? 40);
const isMany = OWNERS >= 1_000;
const RECIPES = isMany ? 10 : 5;
/** How long one takes, in milliseconds. */
const WORK = isMany ? 50 : 10;
const LIVING = isMany ? 100 : 4;
const TTL = isMany ? 5_000 : 3_000;
/** Where the server comes back, all owners reach for it at once, on cores that other tests use as well. */
const AWAY_TTL = 2 * TTL;
/** Each owner sends its own heartbeats, through a gateway that takes a thousand a second. */
const ETCD_TTL = isMany ? 20_000 : TTL;
/** That of keepers: who is late on a machine that others use as well is no fault. */
const KEEPERS_TTL = 6_000;
/** Of one process through a slow network, which one pool of connections serves. */
const FEW = 10;
const CONCURRENCY = 10;

interface Fault {
  readonly keepers: number;
  /** How many owners die. */
  readonly owners?: number;
  /** Whether keepers may be away: then some recipes are carried out twice, at most as many as one has under way. */
  readonly mayRepeat?: boolean;
  /** Strikes when owners have died, with a third of the recipes carried out at the latest. */
  strike?(keepers: readonly Program[], carried: () => number): Promise<void>;
  /** Strikes while all owners live; they live on. */
  before?(): Promise<void>;
}

let rounds = 0;

/** Lets owners die under a fault, beside others that live. */
async function dieUnder(
  t: TestContext,
  keeping: Keeping,
  { keepers: count, owners = OWNERS, strike, before, mayRepeat }: Fault,
): Promise<void> {
  // Names of its own: another test's recipes may be left where that has failed.
  const names = `dying ${(rounds += 1)}.`;
  const dying = planOf(names, owners, RECIPES);
  const living = planOf("living", LIVING, RECIPES);
  try {
    const [doomed, alive] = await Promise.all([keeping.owners(dying), keeping.owners(living)]);
    const keepers = await Promise.all(
      Array.from({ length: count }, () =>
        keeping.keeper({ concurrency: CONCURRENCY }, { QUIET: "on", WORK_MS: String(WORK), TTL: String(KEEPERS_TTL) }),
      ),
    );
    await before?.();
    await sleep(ETCD_TTL); // enough for a keeper that acts too early
    assert.equal(keeping.countOf(names) + keeping.countOf("living"), 0, "carried out while all lived");
    const diedAt = monotonic();
    const carried = () => keeping.countOf(names);
    await doomed.kill();
    if (strike !== undefined) {
      await eventually(() => carried() > (owners * RECIPES) / 10);
      await strike(keepers, carried);
    }
    await eventually(() => carried() === owners * RECIPES, 120_000);
    const took = monotonic() - diedAt;
    const twice = checkCarried(keeping.carries(), dying, diedAt);
    const first = Math.min(...keeping.carries().map(({ at }) => at)) - diedAt;
    t.diagnostic(`the first after ${Math.round(first)} ms, all after ${Math.round(took)} ms, ${twice} twice`);
    assert.ok(twice <= (mayRepeat === true ? CONCURRENCY : 0), `${twice} were carried out twice`);
    assert.ok(
      !alive.lines.some((line) => Object.hasOwn(Object(line) as object, "dead")),
      "an owner that lives was declared dead",
    );
    await alive.ask("exit");
    const own = keeping.carries().filter(({ owner }) => owner.startsWith("living"));
    assert.deepEqual(new Set(own.map(({ pid }) => pid)), new Set([alive.pid]));
    assert.equal(own.length, LIVING * RECIPES);
  } finally {
    await keeping.end();
  }
}

async function throughUnruly(target: number, body: (port: number) => Promise<void>): Promise<void> {
  const proxy = await Proxy.to(target);
  proxy.mode = "unruly";
  try {
    await body(proxy.port);
  } finally {
    await proxy.close();
  }
}

const killed: Fault = {
  keepers: 4,
  mayRepeat: true,
  strike: async ([keeper]) => keeper?.kill(),
};

const stopped: Fault = {
  keepers: 4,
  mayRepeat: true,
  async strike([keeper], carried) {
    keeper?.send("SIGSTOP");
    await eventually(() => carried() === OWNERS * RECIPES, 120_000);
    keeper?.send("SIGCONT");
    await sleep(KEEPERS_TTL);
  },
};

const provided = providePostgres();
const faketime = provideWallClock();
const etcd = provideEtcd();

async function startMigrated(env?: NodeJS.ProcessEnv): Promise<PostgresServer> {
  const server = await startPostgres((provided as { home: string }).home, env && { env });
  const client = new pg.Client(server.url);
  await client.connect();
  await migrate(client);
  await client.end();
  return server;
}

const keepingOn = (url: string, ttl = TTL) => new Keeping(ON_POSTGRES, { URL: url, TTL: String(ttl) });

// Most of the time ttls pass: two engines at once, each with one test after the other,
// unless many owners fill the cores.
describe("many owners die at once", { concurrency: isMany ? 1 : 2 }, () => {
  describe("keepers on PostgreSQL", { concurrency: 1, skip: "missing" in provided && provided.missing }, () => {
    let server: PostgresServer;

    before(async () => {
      server = await startMigrated();
    });

    after(() => server.stop());

    const keeping = (port = server.port) => keepingOn(server.url.replace(String(server.port), String(port)));

    it("one keeper carries all out", (t) => dieUnder(t, keeping(), { keepers: 1 }));
    it("four keepers carry all out, none twice", (t) => dieUnder(t, keeping(), { keepers: 4 }));
    it("one of four is killed: others carry on", (t) => dieUnder(t, keeping(), killed));
    it("one of four is stopped for longer than its ttl, and comes back", (t) => dieUnder(t, keeping(), stopped));

    it("requests are late, lost, or come in another order", (t) =>
      throughUnruly(server.port, (port) => dieUnder(t, keeping(port), { keepers: 2, owners: FEW, mayRepeat: true })));

    it("the server is away for longer than ttl: those who live are left alone", (t) =>
      dieUnder(t, keepingOn(server.url, AWAY_TTL), {
        keepers: 2,
        async before() {
          await server.halt("crash");
          await sleep(2.5 * AWAY_TTL);
          await server.resume();
        },
      }));
  });

  describe(
    "keepers on a PostgreSQL whose clock is set",
    { concurrency: 1, skip: "missing" in provided ? provided.missing : "missing" in faketime && faketime.missing },
    () => {
      let server: PostgresServer;
      let clock: WallClock;

      before(async () => {
        clock = new WallClock(faketime as Exclude<typeof faketime, { missing: string }>);
        server = await startMigrated(clock.env);
      });

      after(async () => {
        await server.stop();
        clock.remove();
      });

      for (const hours of [1, -1]) {
        it(`it jumps by ${hours} h while all live, and again when some have died`, async (t) => {
          const jump = async (to: number) => {
            clock.set(to);
            await sleep(1.5 * TTL);
          };
          await dieUnder(t, keepingOn(server.url), { keepers: 2, before: () => jump(hours), strike: () => jump(0) });
        });
      }
    },
  );

  describe("keepers on etcd", { concurrency: 1, skip: "missing" in etcd && etcd.missing }, () => {
    let cluster: EtcdCluster;

    before(async () => {
      cluster = await EtcdCluster.start(etcd as Exclude<typeof etcd, { missing: string }>);
    });

    after(() => cluster.stop());

    const keeping = (urls = [0, 1, 2].map((n) => cluster.url(n))) =>
      new Keeping(ON_ETCD, { URL: urls.join(","), TTL: String(ETCD_TTL) });

    it("one keeper carries all out", (t) => dieUnder(t, keeping(), { keepers: 1 }));
    it("four keepers carry all out, none twice", (t) => dieUnder(t, keeping(), { keepers: 4 }));
    it("one of four is killed: others carry on", (t) => dieUnder(t, keeping(), killed));
    it("one of four is stopped for longer than its ttl, and comes back", (t) => dieUnder(t, keeping(), stopped));

    it("requests are late, lost, or come in another order", (t) =>
      throughUnruly(cluster.ports[0] as number, (port) =>
        dieUnder(t, keeping([`http://127.0.0.1:${port}`]), { keepers: 2, owners: FEW, mayRepeat: true }),
      ));

    it("all members are away for longer than ttl: those who live are left alone", (t) =>
      dieUnder(t, keeping(), {
        keepers: 2,
        async before() {
          for (const n of [0, 1, 2]) await cluster.halt(n);
          await sleep(2.5 * ETCD_TTL);
          for (const n of [0, 1, 2]) cluster.resume(n);
          await cluster.ready();
        },
      }));
  });
});
