// Cleanups that outlive their process, on real members of etcd: what is particular
// to it. Faults are in keeper-faults.test.ts.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { CLI } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";
import { eventually, Keeping, ON_ETCD, planOf } from "./support/keeping.ts";

const TTL = 3_000;

const provided = provideEtcd();
const skip = "missing" in provided && provided.missing;

describe("a recipe in etcd", { skip }, () => {
  let cluster: EtcdCluster;
  let keeping: Keeping;
  let url: string;

  before(async () => {
    cluster = await EtcdCluster.start(provided as Exclude<typeof provided, { missing: string }>);
    url = [0, 1, 2].map((n) => cluster.url(n)).join(",");
  });

  after(() => cluster.stop());

  beforeEach(() => {
    keeping = new Keeping(ON_ETCD, { URL: url, TTL: String(TTL) });
  });

  afterEach(() => keeping.end());

  const carried = () => keeping.carries().map(({ owner, n }) => `${owner}/${n}`);
  const command = (...args: string[]) =>
    run(process.execPath, [CLI, ...args], { env: { ...process.env, LOG: keeping.log, URL: url } });

  /** All keys but leases' own: nothing may be left. */
  const keys = async () => {
    const range = { key: base64("atexit/"), range_end: base64("atexit0"), keys_only: true };
    const response = await fetch(`${cluster.url(0)}/v3/kv/range`, { method: "POST", body: JSON.stringify(range) });
    const { kvs = [] } = (await response.json()) as { kvs?: { key: string }[] };
    return kvs.map(({ key }) => Buffer.from(key, "base64").toString());
  };

  it("is carried out by its own process at its end, and then nobody knows of it", async () => {
    const owners = await keeping.owners(planOf("o", 1, 3));
    assert.match((await command("ps", "--from", url)).stdout, /^clean\("o0",2\) .*\n {4}process \d+ on /m);
    await owners.ask("exit");
    assert.deepEqual(carried(), ["o0/2", "o0/1", "o0/0"]);
    assert.ok(keeping.carries().every(({ pid }) => pid === owners.pid));
    assert.deepEqual(await keys(), []);
  });

  it("is carried out by the guard after SIGKILL, and what fails is a keeper's at once", async () => {
    const env = { GUARD: "on", MODULE: "on", TTL: "60000" };
    const [plan = { owner: "", recipes: [] }] = planOf("o", 1, 3);
    const owners = await keeping.owners([{ ...plan, recipes: [...plan.recipes, ["failOnce", "late", 9]] }], env);
    await owners.kill();
    await eventually(() => keeping.count === 3);
    await keeping.recover();
    assert.deepEqual(carried(), ["o0/2", "o0/1", "o0/0", "late/9"]);
    await eventually(async () => (await keys()).length === 0);
  });

  it("is carried out by one round, which waits until etcd has seen its owner silent", async () => {
    const owners = await keeping.owners(planOf("o", 2, 2));
    await owners.kill();
    const { code, stdout } = await command("recover", "--from", url, "--actions", keeping.module);
    assert.equal(code, 0, stdout);
    assert.deepEqual(carried().slice().sort(), ["o0/0", "o0/1", "o1/0", "o1/1"]);
    assert.deepEqual(await keys(), []);
  });

  it("is a dead letter where it fails always, or is no action, and can be tried again or forgotten", async () => {
    const owners = await keeping.owners([
      { owner: "o", recipes: [["clean", "o", 0], ["fail"], ["onlyWords", "two words"]] },
    ]);
    const keeper = await keeping.keeper({ tries: 2 });
    await owners.kill();
    await eventually(
      async () => JSON.parse((await command("dead-letters", "--from", url, "--json")).stdout).length === 2,
    );
    assert.deepEqual(
      keeper.carried.map(({ action, outcome, tries }) => [action, outcome, tries]),
      [
        ["onlyWords", "refused", 1],
        ["fail", "failed", 1],
        ["clean", "carried", 1],
        ["fail", "dead letter", 2],
      ],
    );
    const letters = JSON.parse((await command("dead-letters", "--from", url, "--json")).stdout) as {
      id: string;
      action: string;
    }[];
    const [fail = "", word = ""] = ["fail", "onlyWords"].map(
      (name) => letters.find(({ action }) => action === name)?.id,
    );
    await command("dead-letters", "--from", url, "--retry", fail);
    await eventually(() => keeper.carried.filter(({ action }) => action === "fail").length === 4);
    await eventually(
      async () => JSON.parse((await command("dead-letters", "--from", url, "--json")).stdout).length === 2,
    );
    await keeper.kill("SIGTERM");
    const forgotten = await command("dead-letters", "--from", url, "--forget", fail, "--forget", word);
    assert.deepEqual([forgotten.code, forgotten.stdout], [0, `${fail} is forgotten.\n${word} is forgotten.\n`]);
    assert.deepEqual(await keys(), []);
  });

  it("is refused where its operator lets certain users ask, since etcd tells of none", async () => {
    const owners = await keeping.owners(planOf("o", 1, 1));
    await owners.kill();
    const recovered = await keeping.recover({ from: { clean: ["root"] } });
    assert.deepEqual(
      recovered.carried.map(({ outcome, error }) => [outcome, error]),
      [["refused", "a user whom the engine does not tell may not ask for clean"]],
    );
    assert.deepEqual(carried(), []);
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
