// examples/scheduler.mjs: two processes, and a killed leader. examples/schema-of-a-test.mjs:
// a schema that is dropped at its program's end, by its guard, and by a keeper.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { it } from "node:test";
import pg from "pg";
import { CLI, examplesDirectory } from "../support/package-under-test.ts";
import { atexit, inPlace } from "../support/place.ts";
import { until } from "../support/run.ts";
import { eventually } from "./support/keeping.ts";
import { providePostgres, startPostgres } from "../support/servers.ts";

const provided = providePostgres();
const skip = "missing" in provided && provided.missing;

it("a killed scheduler is followed by the other one, long before its ttl is over", { skip }, async (t) => {
  const server = await startPostgres((provided as { home: string }).home);
  try {
    await inPlace(async (place) => {
      const env = { ...place.environment, DATABASE_URL: server.url };
      assert.equal((await atexit(place, ["migrate", "--from", server.url])).code, 0);
      const started: ChildProcess[] = [];
      const lines: string[] = [];
      const start = (name: string) => {
        const program = join(examplesDirectory(), "scheduler.mjs");
        const child = spawn(process.execPath, [program, name], { env, stdio: ["ignore", "pipe", "inherit"] });
        child.stdout.on("data", (chunk) => lines.push(...String(chunk).trim().split("\n")));
        started.push(child);
        return child;
      };
      try {
        const first = start("first");
        await until(() => lines.some((line) => line.startsWith("first leads")));
        const second = start("second");
        await until(() => lines.includes("second stands for election"));
        assert.equal((await atexit(place, ["ps", "--from", server.url])).stdout.split("  ")[0], "scheduler");
        const killedAt = performance.now();
        first.kill("SIGKILL");
        await until(() => lines.some((line) => line.startsWith("second leads")));
        const took = performance.now() - killedAt;
        t.diagnostic(`the next leader after ${Math.round(took)} ms`);
        assert.ok(took < 10_000, "by the guard, and not by time");
        const ended = once(second, "exit");
        second.kill("SIGTERM");
        assert.deepEqual(await ended, [null, "SIGTERM"]);
        const [one, two] = lines.filter((line) => line.includes("token")).map((line) => Number(line.split(" ").at(-1)));
        assert.ok((one as number) < (two as number));
        assert.deepEqual(
          lines.map((line) => line.replace(/\d+$/, "N")),
          [
            "first stands for election",
            "first leads, with token N",
            "second stands for election",
            "second leads, with token N",
            "second leads no more",
          ],
        );
      } finally {
        for (const child of started) child.kill("SIGKILL");
      }
    });
  } finally {
    await server.stop();
  }
});

it("a schema of a test is dropped at its program's end, by its guard, and by a keeper", { skip }, async (t) => {
  const server = await startPostgres((provided as { home: string }).home);
  const pool = new pg.Pool({ connectionString: server.url });
  pool.on("error", () => {});
  const schemas = async () => {
    const { rows } = await pool.query<{ name: string }>(
      "select nspname as name from pg_namespace where nspname ~ '^test_'",
    );
    return rows.map(({ name }) => name);
  };
  const gone = async () => {
    const before = performance.now();
    await eventually(async () => (await schemas()).length === 0);
    return Math.round(performance.now() - before);
  };
  try {
    await inPlace(async (place) => {
      const env = { ...place.environment, DATABASE_URL: server.url, ATEXIT_FROM: server.url, TTL: "3000" };
      assert.equal((await atexit(place, ["migrate", "--from", server.url])).code, 0);
      const start = async (more: NodeJS.ProcessEnv, ...args: string[]) => {
        const program = join(examplesDirectory(), "schema-of-a-test.mjs");
        const child = spawn(process.execPath, [program, ...args], {
          env: { ...env, ...more },
          stdio: ["ignore", "pipe", "inherit"],
        });
        const [made] = (await once(child.stdout, "data")) as [Buffer];
        assert.equal(String(made), `made test_${child.pid}\n`);
        if (args.length === 0) assert.deepEqual(await schemas(), [`test_${child.pid}`]);
        return child;
      };
      const finished = await start({}, "10");
      assert.deepEqual(await once(finished, "exit"), [0, null]);
      assert.deepEqual(await schemas(), []);

      (await start({})).kill("SIGKILL");
      t.diagnostic(`dropped by the guard after ${await gone()} ms`);

      const args = ["keeper", "--actions", join(examplesDirectory(), "cleanups.mjs"), "--ttl", "5s"];
      const keeper = spawn(process.execPath, [CLI, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
      const lines: { outcome: string; action?: string }[] = [];
      keeper.stdout.on("data", (chunk) => {
        for (const line of String(chunk).trim().split("\n")) lines.push(JSON.parse(line) as { outcome: string });
      });
      await until(() => lines.length === 1);
      // The guard is gone as well: nobody is told, as when the machine has died.
      (await start({ ATEXIT_GUARD: "off" })).kill("SIGKILL");
      t.diagnostic(`dropped by a keeper after ${await gone()} ms`);
      await until(() => lines.length === 2);
      assert.deepEqual(
        lines.map(({ outcome, action }) => [outcome, action]),
        [
          ["keeping", undefined],
          ["carried", "dropSchema"],
        ],
      );
      const ended = once(keeper, "exit");
      keeper.kill("SIGTERM");
      assert.deepEqual(await ended, [null, "SIGTERM"]);
      const { rows } = await pool.query("select * from atexit.owner");
      assert.deepEqual(rows, []);
    });
  } finally {
    await pool.end();
    await server.stop();
  }
});
