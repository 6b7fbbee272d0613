// examples/scheduler.mjs: two processes, and a killed leader.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { it } from "node:test";
import { examplesDirectory } from "../support/package-under-test.ts";
import { atexit, inPlace } from "../support/place.ts";
import { until } from "../support/run.ts";
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
