// SIGKILL before and after every statement of an owner and of a keeper: whatever was
// told to be planted is carried out, last in, first out, and nothing is left behind.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { migrate } from "../../src/postgres/index.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { checkCarried, eventually, Keeping, ON_POSTGRES, planOf, type Program } from "./support/keeping.ts";

const TTL = 1_000;
const RECIPES = 2;

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

/** Before and after each of these calls. */
const points = (...calls: readonly string[]) => calls.flatMap((call) => [`${call} before`, `${call} after`]);

describe("SIGKILL between any two statements", { skip }, () => {
  let server: PostgresServer;
  let pool: pg.Pool;

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    pool = new pg.Pool({ connectionString: server.url });
    pool.on("error", () => {});
    await migrate(pool);
  });

  after(async () => {
    await pool.end();
    await server.stop();
  });

  const left = async () => {
    const { rows } = await pool.query<{ n: number }>(
      "select (select count(*) from atexit.recipe)::int + (select count(*) from atexit.owner where dead_at is not null)::int as n",
    );
    return rows[0]?.n ?? 0;
  };

  /** Rounds of keepers until nothing is left: an owner is silent for ttl first as the server sees it. */
  const recoverAll = (keeping: Keeping) =>
    eventually(async () => {
      await keeping.recover();
      return (await left()) === 0;
    });

  const inKeeping = async (body: (keeping: Keeping) => Promise<void>) => {
    const keeping = new Keeping(ON_POSTGRES, { URL: server.url, TTL: String(TTL) });
    try {
      await body(keeping);
    } finally {
      await keeping.end();
      await pool.query(
        "delete from atexit.owner o where not exists (select from atexit.recipe r where r.owner = o.id)",
      );
    }
  };

  const wasKilled = ({ child }: Program) => child.signalCode === "SIGKILL";

  for (const at of points("begin 1", "plant 1", "plant 2", "settle 1", "settle 2", "finish 1")) {
    it(`of an owner: ${at}`, () =>
      inKeeping(async (keeping) => {
        const [plan = { owner: "", recipes: [] }] = planOf("o", 1, RECIPES);
        const owner = keeping.startOwners([plan], { KILL_AT: at });
        await eventually(() => wasKilled(owner) || owner.lines.includes("planted"));
        if (!wasKilled(owner)) {
          owner.child.stdin?.write("exit");
          await owner.ended;
        }
        assert.ok(wasKilled(owner), "it has sent fewer statements");
        const told = owner.lines.filter((line) => Object.hasOwn(Object(line) as object, "planted")).length;
        await recoverAll(keeping);
        const numbers = [...new Set(keeping.carries().map(({ n }) => n))];
        // One whose answer was not heard may have been planted.
        assert.ok(numbers.length === told || numbers.length === told + 1, `${told} planted, carried out: ${numbers}`);
        assert.deepEqual(
          numbers,
          numbers.slice().sort((a, b) => b - a),
        );
        assert.equal(await left(), 0);
      }));
  }

  for (const at of points("begin 1", "suspects 1", "claim 1", "step 1", "step 2", "step 3", "finish 1")) {
    it(`of a keeper: ${at}`, () =>
      inKeeping(async (keeping) => {
        const plan = planOf("o", 1, RECIPES);
        const owners = await keeping.owners(plan);
        await owners.kill();
        const keeper = keeping.startRecover({ KILL_AT: at });
        await keeper.ended;
        await recoverAll(keeping);
        const twice = checkCarried(keeping.carries(), plan, 0);
        assert.ok(twice <= 1, `${twice} were carried out twice`);
        assert.ok(wasKilled(keeper), "it has sent fewer statements");
        assert.equal(await left(), 0);
      }));
  }
});
