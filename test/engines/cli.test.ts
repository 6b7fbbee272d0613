// atexit run --lease, ps --from and migrate --from, with a real PostgreSQL.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hostname } from "node:os";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { isAlive } from "../support/processes.ts";
import { until } from "../support/run.ts";
import { type PostgresServer, providePostgres, startPostgres } from "../support/servers.ts";
import { EtcdCluster, provideEtcd } from "./support/etcd.ts";

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

describe("leases by the command", { skip }, () => {
  let server: PostgresServer;
  let pool: pg.Pool;

  before(async () => {
    server = await startPostgres((provided as { home: string }).home);
    pool = new pg.Pool({ connectionString: server.url });
    pool.on("error", () => {});
  });

  after(async () => {
    await pool.end();
    await server.stop();
  });

  /** Starts `atexit run --lease nightly` with a command that writes its pid and token, and goes on. */
  const start = async (place: Place, ...options: string[]) => {
    const file = join(place.work, "running");
    const command =
      'echo "$$ $ATEXIT_TOKEN ${ATEXIT_FROM-none}" >"$WORK/running.new"; mv "$WORK/running.new" "$WORK/running"; exec sleep 1000';
    const args = ["run", "--lease", "nightly", "--from", server.url, ...options, "--", "sh", "-c", command];
    const running = spawn(process.execPath, [CLI, ...args], { env: place.environment, cwd: place.work, stdio: "pipe" });
    const ended = once(running, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    let stderr = "";
    running.stderr.on("data", (chunk) => (stderr += chunk));
    await until(() => existsSync(file) || running.exitCode !== null);
    assert.equal(running.exitCode, null, stderr);
    const [pid = "", token = "", from = ""] = readFileSync(file, "utf8").trim().split(" ");
    return { running, ended, said: () => stderr, pid: Number(pid), token, from };
  };

  it("migrate applies the schema, and says what it is for", () =>
    inPlace(async (place) => {
      const { code, stdout, stderr } = await atexit(place, ["migrate", "--from", server.url]);
      assert.deepEqual([code, stdout, stderr], [0, "The schema atexit is up to date.\n", ""]);
      const etcd = await atexit(place, ["migrate", "--from", "http://127.0.0.1:1"]);
      assert.equal(etcd.code, 2);
      assert.match(etcd.stderr, /is for PostgreSQL/);
      const none = await atexit(place, ["migrate"]);
      assert.match(none.stderr, /--from takes where the leases are/);
    }));

  it("run holds a lease while the command runs; another one ends with 75 and is told who", () =>
    inPlace(async (place) => {
      const { running, ended, token, from } = await start(place);
      assert.match(token, /^\d+$/);
      assert.equal(from, "none", "the command is not told the address");
      const second = await atexit(place, ["run", "--lease", "nightly", "--from", server.url, "--", "true"]);
      assert.equal(second.code, 75);
      assert.match(second.stderr, new RegExp(`held by process ${running.pid} on .*wait for it with --wait 30s`));

      const listed = await atexit(place, ["ps", "--from", server.url]);
      assert.match(listed.stdout, new RegExp(`^nightly  token ${token}  .*\\n    process ${running.pid} on `));
      const { stdout } = await atexit(place, ["ps", "--json"], {
        env: { ...place.environment, ATEXIT_FROM: server.url },
      });
      assert.deepEqual(JSON.parse(stdout).length, 1); // its recipes: --from was not given

      running.kill("SIGTERM");
      assert.deepEqual(await ended, [null, "SIGTERM"]);
      const third = await atexit(place, [
        "run",
        "--lease",
        "nightly",
        "--from",
        server.url,
        "--",
        "sh",
        "-c",
        "exit 3",
      ]);
      assert.equal(third.code, 3, third.stderr);
    }));

  it("run is killed: the guard ends the command and gives the lease back", () =>
    inPlace(async (place) => {
      const { running, ended, pid } = await start(place);
      // The command may be faster than the line that says how it is ended.
      const textOf = (name: string) => readFileSync(join(place.journals, name), "utf8");
      await until(() => place.left().some((name) => textOf(name).includes('"do":"kill"')));
      running.kill("SIGKILL");
      await ended;
      const { rows } = await pool.query("select count(*)::int as owners from atexit.owner");
      assert.equal(rows[0].owners, 1);
      const args = ["run", "--lease", "nightly", "--wait", "12s", "--from", server.url, "--", "true"];
      const { code, stderr } = await atexit(place, args);
      assert.equal(code, 0, stderr);
      await place.quiet();
      assert.equal(isAlive(pid), false);
      // Both are known to be done by the guard, and not by time.
      const done = place.log().filter(({ outcome }) => outcome === "done");
      assert.ok(
        done.some(({ title }) => title.includes("giveBack")),
        JSON.stringify(place.log()),
      );
    }));

  it("run loses the lease: the command is ended, and the status is 75", () =>
    inPlace(async (place) => {
      const { ended, said, pid } = await start(place, "--ttl", "2s");
      await pool.query("update atexit.owner set dead_at = clock_timestamp()");
      assert.deepEqual(await ended, [75, null]);
      assert.match(
        said(),
        /^atexit: The lease nightly \(token \d+\) is lost: PostgreSQL has declared this process dead/,
      );
      assert.equal(isAlive(pid), false);
    }));
});

it("tour shows how a lease goes from one process to the next", { skip }, async () => {
  const server = await startPostgres((provided as { home: string }).home);
  try {
    await inPlace(async (place) => {
      const told = await atexit(place, ["tour", "lease:"]);
      assert.match(told.stdout, /not shown: set ATEXIT_FROM/);
      assert.equal((await atexit(place, ["migrate", "--from", server.url])).code, 0);
      const env = { ...place.environment, ATEXIT_FROM: server.url };
      const { code, stdout, stderr } = await atexit(place, ["tour", "lease:"], { env, limit: 60_000 });
      assert.deepEqual([code, stderr], [0, ""], stdout);
      assert.equal(stdout.match(/✓ the next has it after \d+ ms, by/g)?.length, 3, stdout);
    });
  } finally {
    await server.stop();
  }
});

const etcd = provideEtcd();

it("ps --from etcd tells who holds what, with which token", { skip: "missing" in etcd && etcd.missing }, async () => {
  const cluster = await EtcdCluster.start(etcd as Exclude<typeof etcd, { missing: string }>);
  try {
    await inPlace(async (place) => {
      const from = [0, 1, 2].map((n) => cluster.url(n)).join(",");
      assert.equal(
        (await atexit(place, ["ps", "--from", from])).stdout,
        "Nobody holds a lease there, and nothing is planted.\n",
      );
      const ps = `"$0" "$1" ps --from "$2" --json; echo "$$ $ATEXIT_TOKEN"`;
      const command = ["sh", "-c", ps, process.execPath, CLI, from];
      const { stdout, stderr } = await atexit(place, ["run", "--lease", "nightly", "--from", from, "--", ...command]);
      assert.equal(stderr, "");
      const told = stdout.trimEnd().split("\n");
      const [, token] = (told.pop() ?? "").split(" ");
      const { leases: rows } = JSON.parse(told.join("\n")) as {
        leases: { name: string; token: string; who: { host: string } }[];
      };
      assert.deepEqual(
        rows.map((row) => [row.name, row.token, row.who.host]),
        [["nightly", token, hostname()]],
      );
    });
  } finally {
    await cluster.stop();
  }
});
