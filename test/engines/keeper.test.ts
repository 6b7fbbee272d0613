// Cleanups that outlive their process, on a real PostgreSQL: who carries them out,
// what becomes of those that fail, and what a stranger who may plant can do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import pg from "pg";
import { count as registered, type TracedCleanup } from "../../src/index.ts";
import { actions, type Carried, keeper, plant, recoverFrom } from "../../src/keeper/index.ts";
import { migrate, postgres } from "../../src/postgres/index.ts";
import { CLI, packageFiles } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";
import { freePort, type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { eventually, Keeping, ON_POSTGRES, planOf } from "./support/keeping.ts";

const TTL = 2_000;

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

describe("a recipe in PostgreSQL", { skip }, () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let keeping: Keeping;

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    pool = new pg.Pool({ connectionString: server.url });
    pool.on("error", () => {});
    await pool.query("create role ci login; create role stranger login; create role sweeper login");
    await migrate(pool, { grant: ["ci", "stranger"], keepers: ["sweeper"] });
  });

  after(async () => {
    await pool.end();
    await server.stop();
  });

  beforeEach(() => {
    keeping = new Keeping(ON_POSTGRES, { URL: server.url, TTL: String(TTL) });
  });

  afterEach(async () => {
    await keeping.end();
    await pool.query("delete from atexit.recipe; delete from atexit.owner");
  });

  const as = (user: string) => server.url.replace("postgres@", `${user}@`);
  const count = async (table: "recipe" | "owner") =>
    (await pool.query<{ n: number }>(`select count(*)::int as n from atexit.${table}`)).rows[0]?.n;
  const carried = () => keeping.carries().map(({ owner, n }) => `${owner}/${n}`);
  const command = (...args: string[]) =>
    run(process.execPath, [CLI, ...args], { env: { ...process.env, LOG: keeping.log, URL: server.url } });

  for (const how of ["exit", "SIGTERM"] as const) {
    it(`is carried out by its own process at its end by ${how}, and then nobody knows of it`, async () => {
      const owners = await keeping.owners(planOf("o", 1, 3));
      assert.equal(await count("recipe"), 3);
      if (how === "exit") await owners.ask("exit");
      else await owners.kill("SIGTERM");
      assert.deepEqual(carried(), ["o0/2", "o0/1", "o0/0"]);
      assert.ok(keeping.carries().every(({ pid }) => pid === owners.pid));
      assert.deepEqual([await count("recipe"), await count("owner")], [0, 0]);
    });
  }

  it("is carried out by the guard after SIGKILL, where it knows the module, and what fails is a keeper's at once", async () => {
    const env = { GUARD: "on", MODULE: "on", TTL: "60000", URL: as("ci") };
    const [plan = { owner: "", recipes: [] }] = planOf("o", 1, 3);
    const owners = await keeping.owners([{ ...plan, recipes: [...plan.recipes, ["failOnce", "late", 9]] }], env);
    await owners.kill();
    await eventually(() => keeping.count === 3);
    assert.deepEqual(carried(), ["o0/2", "o0/1", "o0/0"]);
    await keeping.recover();
    assert.deepEqual(carried(), ["o0/2", "o0/1", "o0/0", "late/9"]);
    assert.deepEqual([await count("recipe"), await count("owner")], [0, 0]);
  });

  it("is a keeper's once it has seen the owner silent for its ttl, last in, first out, and ps tells of it", async () => {
    const owners = await keeping.owners(planOf("o", 1, 3));
    const listed = await command("ps", "--from", server.url);
    assert.match(listed.stdout, /^clean\("o0",2\) .*\n {4}process \d+ on /m);
    const keeper = await keeping.keeper();
    const killedAt = performance.now();
    await owners.kill();
    await eventually(() => keeper.carried.length === 3);
    assert.ok(performance.now() - killedAt > TTL);
    assert.deepEqual(carried(), ["o0/2", "o0/1", "o0/0"]);
    assert.deepEqual(
      keeper.carried.map(({ action, args, outcome, planter, owner, tries }) => [
        action,
        args,
        outcome,
        planter,
        owner.pid,
        tries,
      ]),
      [2, 1, 0].map((n) => ["clean", ["o0", n], "carried", "postgres", owners.pid, 1]),
    );
    await keeper.kill("SIGTERM");
    assert.deepEqual([await count("recipe"), await count("owner")], [0, 0]);
  });

  it("that fails stops no other, is tried again after pauses that grow, and is a dead letter in the end", async () => {
    const owners = await keeping.owners([
      { owner: "o", recipes: [["clean", "o", 0], ["fail"], ["failOnce", "o", 2], ["clean", "o", 3]] },
    ]);
    const keeper = await keeping.keeper({ tries: 3 });
    await owners.kill();
    await eventually(() => keeper.carried.some(({ outcome }) => outcome === "dead letter"));
    assert.deepEqual(carried(), ["o/3", "o/0", "o/2"]);
    const tried = keeper.carried.filter(({ action }) => action === "fail");
    assert.deepEqual(
      tried.map(({ outcome, tries, error }) => [outcome, tries, error]),
      [
        ["failed", 1, "this cannot be done"],
        ["failed", 2, "this cannot be done"],
        ["dead letter", 3, "this cannot be done"],
      ],
    );
    const [first = 0, second = 0, third = 0] = tried.map(({ at }) => Date.parse(at));
    assert.ok(second - first >= 1_000 && third - second >= 2_000);

    await eventually(async () => (await command("dead-letters", "--from", server.url)).code === 1);
    const { stdout } = await command("dead-letters", "--from", server.url, "--json");
    const [letter, ...others] = JSON.parse(stdout) as { id: string; action: string; error: string; tries: number }[];
    assert.deepEqual([letter?.action, letter?.error, letter?.tries, others], ["fail", "this cannot be done", 3, []]);
    const id = letter?.id ?? "";
    const before = tried.length;
    assert.equal(
      (await command("dead-letters", "--from", server.url, "--retry", id)).stdout,
      `${id} is tried again.\n`,
    );
    await eventually(() => keeper.carried.filter(({ action }) => action === "fail").length === before + 3);
    await keeper.kill("SIGTERM");
    assert.equal((await command("dead-letters", "--from", server.url, "--forget", id)).stdout, `${id} is forgotten.\n`);
    assert.equal((await command("dead-letters", "--from", server.url, "--forget", id)).code, 1);
    assert.equal((await command("dead-letters", "--from", server.url)).stdout, "There are no dead letters.\n");
    assert.deepEqual([await count("recipe"), await count("owner")], [0, 0]);
  });

  it("that blocks, or ends its thread, has failed; its keeper's heartbeat goes on, and so do other owners", async () => {
    const owners = await keeping.owners([
      { owner: "a", recipes: [["clean", "a", 0], ["block"]] },
      { owner: "b", recipes: [["clean", "b", 0], ["leave"]] },
      { owner: "c", recipes: [["clean", "c", 0]] },
    ]);
    const keeper = await keeping.keeper({ tries: 1, timeout: 5 * TTL });
    await owners.kill();
    await eventually(() => keeping.count === 3);
    const failures = keeper.carried.filter(({ outcome }) => outcome === "dead letter");
    assert.deepEqual(
      new Map(failures.map(({ action, error }) => [action, error])),
      new Map([
        ["leave", "its thread has ended"],
        ["block", `it took more than ${5 * TTL} ms`],
      ]),
    );
    assert.deepEqual(carried().slice().sort(), ["a/0", "b/0", "c/0"]);
  });

  it("is carried out once, by one round of a command, which tells what has failed", async () => {
    const owners = await keeping.owners([{ owner: "o", recipes: [["clean", "o", 0], ["fail"]] }]);
    const args = ["recover", "--from", server.url, "--actions", keeping.module, "--ttl", "3s"];
    const early = await command(...args);
    assert.deepEqual([early.code, early.stdout], [0, "Dead owners have left nothing.\n"]);
    await owners.kill();
    const { code, stdout } = await command(...args);
    assert.equal(code, 1);
    assert.match(stdout, / failed {7}fail\(\) {2}\d+ ms.*\n +this cannot be done\n.* carried {6}clean\("o",0\)/);
    assert.deepEqual(carried(), ["o/0"]);
    assert.equal(await count("recipe"), 1);
  });

  it("is carried out when its program says so, forgotten when that cancels it, and refused where nobody could", async () => {
    const engine = postgres(pool, { ttl: TTL });
    const done: string[] = [];
    const cleanups = actions({
      note: (what: string) => void done.push(what),
      failing: () => Promise.reject(new Error("not now")),
    });
    const run = await plant(engine, cleanups.note, "run");
    const cancelled = await plant(engine, cleanups.note, "cancelled");
    const failing = await plant(engine, cleanups.failing);
    assert.equal(await count("recipe"), 3);
    await run.run();
    assert.equal(cancelled.cancel(), true);
    await eventually(async () => (await count("recipe")) === 1);
    await assert.rejects(async () => failing.run(), /not now/);
    assert.deepEqual(done, ["run"]);
    assert.equal(await count("recipe"), 1, "what has failed is left to keepers");
    await engine.end();
    const { rows } = await pool.query<{ is_dead: boolean }>("select is_dead from atexit.recipes()");
    assert.deepEqual(rows, [{ is_dead: true }], "who need not wait");

    // @ts-expect-error: the arguments are the action's own
    await assert.rejects(plant(engine, cleanups.note, undefined), { code: "ERR_ATEXIT_JSON" });
    await assert.rejects(
      plant(engine, (what: string) => what, "x"),
      { code: "ERR_ATEXIT_ACTION" },
    );
    await assert.rejects(plant(engine, cleanups.note, "x".repeat(70_000)), { code: "ERR_ATEXIT_RECIPES" });
    const strangers = new pg.Pool({ connectionString: as("stranger") });
    const refused = keeper(postgres(strangers, { ttl: TTL }), keeping.module, { onError: () => {} });
    await assert.rejects(refused, { code: "ERR_ATEXIT_ENGINE", message: /carry recipes out: \{ keepers: \[user\] \}/ });
    await strangers.end();
    await assert.rejects(keeper(engine, new URL("data:text/javascript,")), { code: "ERR_ATEXIT_OPTION" });
    await assert.rejects(keeper(engine, packageFiles), /Cannot|not supported|ERR_/);
    assert.equal(registered(), 0);
  });

  it("is a keeper's where its process is stopped for longer than ttl, which learns of it when it goes on", async () => {
    const owners = await keeping.owners(planOf("o", 1, 2));
    const keeper = await keeping.keeper();
    owners.send("SIGSTOP");
    await eventually(() => keeper.carried.length === 2);
    owners.send("SIGCONT");
    await eventually(() => owners.lines.some((line) => (line as { dead?: string }).dead === "o0"));
    assert.deepEqual(carried(), ["o0/1", "o0/0"]);
  });

  it("is carried out by a service that says when it is ready, and stops at SIGTERM", async () => {
    const port = await freePort();
    const args = ["keeper", "--from", server.url, "--actions", keeping.module, "--probes", String(port), "--ttl", "3s"];
    const child = spawn(process.execPath, [CLI, ...args, "--allow", "clean=ci"], {
      env: { ...process.env, LOG: keeping.log, URL: server.url, ATEXIT_DIR: keeping.journals },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: { outcome: string; error?: string }[] = [];
    child.stdout.on("data", (chunk) => {
      for (const line of String(chunk).trim().split("\n")) lines.push(JSON.parse(line) as { outcome: string });
    });
    const ended = once(child, "exit");
    try {
      await eventually(async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        return answer?.status === 200;
      });
      assert.deepEqual(
        lines.map(({ outcome }) => outcome),
        ["keeping"],
      );
      await server.halt("fast");
      await eventually(() => lines.length === 2);
      assert.equal(lines.pop()?.outcome, "no answer", "silence would be taken for nothing to do");
      await server.resume();
      const owners = await Promise.all([
        keeping.owners(planOf("ours", 1, 1), { URL: as("ci") }),
        keeping.owners(planOf("theirs", 1, 1)),
      ]);
      for (const owner of owners) await owner.kill();
      await eventually(() => lines.length === 3);
      assert.deepEqual(
        new Set(lines.map(({ outcome, error }) => error ?? outcome)),
        new Set(["keeping", "carried", "postgres may not ask for clean"]),
      );
      assert.deepEqual(carried(), ["ours0/0"]);
      child.kill("SIGTERM");
      assert.deepEqual(await ended, [null, "SIGTERM"]);
      const { rows } = await pool.query("select from atexit.owner where dead_at is null");
      assert.deepEqual(rows, []);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("is told of on the channels that tell of cleanups, and on one of its own", async () => {
    const engine = postgres(pool, { ttl: TTL });
    const owners = await keeping.owners([{ owner: "o", recipes: [["onlyWords", "word"], ["fail"]] }]);
    await owners.kill();
    process.env["LOG"] = keeping.log;
    const told: unknown[] = [];
    const seen = (cleanup: unknown) => {
      const { name, outcome, error } = cleanup as TracedCleanup;
      told.push([name, outcome, (error as Error | undefined)?.message]);
    };
    const kept = (one: unknown) => told.push(`${(one as Carried).action} ${(one as Carried).outcome}`);
    subscribe("tracing:atexit:cleanup:asyncEnd", seen);
    subscribe("atexit:keeper", kept);
    try {
      const recovered = await recoverFrom(engine, keeping.module);
      assert.deepEqual(
        recovered.map(({ action, outcome }) => `${action} ${outcome}`),
        ["fail failed", "onlyWords carried"],
      );
    } finally {
      unsubscribe("tracing:atexit:cleanup:asyncEnd", seen);
      unsubscribe("atexit:keeper", kept);
      await engine.end();
    }
    assert.deepEqual(told, [
      ["fail", "failed", "this cannot be done"],
      "fail failed",
      ["onlyWords", "ok", undefined],
      "onlyWords carried",
    ]);
    assert.equal(registered(), 0);
  });

  describe("of a stranger", () => {
    /** What a stranger can do with SQL: an owner of its own, with what it likes, dead at once. */
    const plantBy = async (
      user: string,
      recipes: readonly (readonly [action: string, args: string, signature?: string])[],
    ) => {
      const client = new pg.Client(as(user));
      await client.connect();
      try {
        const id = crypto.randomUUID();
        await client.query("select atexit.begin($1, 60000, '{}')", [id]);
        for (const [at, [action, args, signature]] of recipes.entries()) {
          await client.query("select atexit.plant($1, $2, $3, $4, $5)", [id, at + 1, action, args, signature ?? null]);
        }
        await client.query("select atexit.finish($1, false)", [id]);
        return id;
      } finally {
        await client.end();
      }
    };

    it("runs no code but the actions, with no arguments but those that they take", async () => {
      const asked = [
        ["constructor", "[]"],
        ["__proto__", "[]"],
        ["toString", "[]"],
        ["default", "[]"],
        ["../../etc/passwd", "[]"],
        ["node:child_process", '["execSync","touch owned"]'],
        ["onlyWords", '["two words; rm -rf /"]'],
        ["clean", "no JSON"],
        ["clean", '{"length":1}'],
      ] as const;
      const nested = ["onlyWords", "[".repeat(30_000) + "]".repeat(30_000)] as const;
      await plantBy("stranger", [...asked, nested, ["onlyWords", '["word"]']]);
      const recovered = await keeping.recover();
      const refused = recovered.carried.filter(({ outcome }) => outcome !== "carried");
      assert.deepEqual(
        recovered.carried.filter(({ outcome }) => outcome === "carried").map(({ args }) => args),
        [["word"]],
      );
      assert.equal(refused.length, asked.length + 1);
      assert.ok(refused.slice(1).every(({ outcome, planter }) => outcome === "refused" && planter === "stranger"));
      assert.equal((await command("dead-letters", "--from", server.url)).code, 1);
      assert.deepEqual(carried(), ["word/0"]);
    });

    it("is refused where its operator lets others alone ask, by the user who has connected", async () => {
      await plantBy("stranger", [["clean", '["theirs",0]']]);
      await plantBy("ci", [["clean", '["ours",0]']]);
      const recovered = await keeping.recover({ from: { clean: ["ci"] } });
      assert.deepEqual(carried(), ["ours/0"]);
      assert.match(
        recovered.carried.find(({ outcome }) => outcome === "refused")?.error ?? "",
        /^stranger may not ask for clean$/,
      );
    });

    it("is refused where it has no signature, or that of another recipe", async () => {
      const owners = await keeping.owners([{ owner: "o", recipes: [["clean", "o", 0]] }], { SECRET: "s3cret" });
      const { rows } = await pool.query<{ action: string; args: string; signature: string }>(
        "select * from atexit.recipe",
      );
      const [{ action, args, signature } = { action: "", args: "", signature: "" }] = rows;
      assert.match(signature, /^[\w+/]{43}=$/);
      await plantBy("stranger", [
        [action, args],
        [action, args, signature],
      ]);
      const recovered = await keeping.recover({}, { SECRET: "s3cret" });
      assert.deepEqual(
        recovered.carried.map(({ outcome, error }) => [outcome, error]),
        [1, 2].map(() => ["refused", "its signature is not right"]),
      );
      await owners.ask("exit");
      assert.deepEqual(carried(), ["o/0"]);
    });

    it("cannot read or write tables, play the keeper, or plant for another owner or in another's name", async () => {
      await keeping.owners(planOf("o", 1, 2));
      const { rows } = await pool.query<{ id: string }>("select id from atexit.owner");
      const [{ id } = { id: "" }] = rows;
      const client = new pg.Client(as("stranger"));
      client.on("error", () => {});
      await client.connect();
      for (const forbidden of [
        "select * from atexit.owner",
        "select * from atexit.recipe",
        "insert into atexit.recipe (owner, seq, action, args, planter) values (gen_random_uuid(), 1, 'clean', '[]', 'ci')",
        "delete from atexit.recipe",
        "select * from atexit.suspects(gen_random_uuid(), true)",
        "select * from atexit.recipes()",
        `select atexit.settle_dead_letter('${id}', 1, false)`,
        "create function atexit.mine() returns int language sql as 'select 1'",
      ]) {
        await assert.rejects(client.query(forbidden), { code: "42501" }, forbidden);
      }
      for (const invalid of [
        `select atexit.plant('${id}', 9, 'clean', repeat('x', 70000), null)`,
        `select atexit.plant('${id}', 9, repeat('x', 300), '[]', null)`,
        "select atexit.begin(gen_random_uuid(), 1000, to_jsonb(repeat('x', 5000)))",
        "select atexit.begin(gen_random_uuid(), 1e12, '{}')",
        "select atexit.begin(gen_random_uuid(), 'NaN', '{}')",
      ]) {
        await assert.rejects(
          client.query(invalid),
          (error: NodeJS.ErrnoException) => /^(?:23514|22001|22003)$/.test(error.code ?? ""),
          invalid,
        );
      }
      const answer = await client.query("select atexit.plant(gen_random_uuid(), 1, 'clean', '[]', null) as is");
      assert.deepEqual(answer.rows, [{ is: "dead" }]);
      // Even who knew a living owner's number could not have its recipes carried out, nor settle them for its keeper.
      const mine = crypto.randomUUID();
      await client.query("select atexit.begin($1, 60000, '{}')", [mine]);
      for (const mark of ["null", "'x'"]) {
        const claimed = await client.query(`select atexit.claim('${mine}', '${id}', ${mark}) as is`);
        assert.deepEqual(claimed.rows, [{ is: null }]);
      }
      const step = await client.query(`select answer from atexit.step('${mine}', '${id}', 0, 1, 'done', null, '{}')`);
      assert.deepEqual(step.rows, [{ answer: "lost" }]);
      // What it may see names no owner's number, which is the key to it.
      const seen = await client.query("select * from atexit.leases()");
      assert.ok(!JSON.stringify(seen.rows).includes(id));
      await client.end();
    });

    it("cannot have a keeper's role do more than keep", async () => {
      const client = new pg.Client(as("sweeper"));
      await client.connect();
      assert.deepEqual((await client.query("select * from atexit.recipes()")).rows, []);
      for (const forbidden of [
        "select atexit.plant(gen_random_uuid(), 1, 'clean', '[]', null)",
        "select * from atexit.acquire(gen_random_uuid(), 0, 'x', null, null, false)",
        "select * from atexit.recipe",
        "update atexit.owner set dead_at = now()",
      ]) {
        await assert.rejects(client.query(forbidden), { code: "42501" }, forbidden);
      }
      await client.end();
      const owners = await keeping.owners(planOf("o", 1, 1), { URL: as("ci") });
      await owners.kill();
      await eventually(async () => {
        await keeping.recover({}, { URL: as("sweeper") });
        return keeping.count === 1;
      });
    });
  });
});
