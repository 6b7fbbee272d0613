// This part leaves nothing of its own: no journal, no guard, no descriptor, no
// listener; and its journals stay small.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace } from "../../support/place.ts";
import { printed, until } from "../../support/run.ts";

describe("a program with recipes", () => {
  test("soon after the last recipe all is as it was before the first", () =>
    inPlace(async (place) => {
      const source = `
          import { remove } from "atexit/durable";
          import { spawn } from "node:child_process";
          import { once } from "node:events";
          import { readdirSync, readFileSync } from "node:fs";
          const { pid } = process;
          // Node's own first child leaves a descriptor open.
          await once(spawn("true", { stdio: ["pipe", "ignore", "ignore"] }), "close");
          const state = () =>
            JSON.stringify({
              descriptors: readdirSync("/proc/self/fd").length,
              children: readFileSync(\`/proc/\${pid}/task/\${pid}/children\`, "utf8"),
              listeners: process.eventNames().map((name) => [name, process.listenerCount(name)]),
              handles: process.getActiveResourcesInfo().filter((name) => name !== "Timeout"),
              // The copy of the helper stays, for the next program.
              journals: readdirSync(process.env.ATEXIT_DIR).filter((name) => !name.startsWith("helper-")),
            });
          const end = Date.now() + 15_000;
          let before;
          let during;
          const timer = setInterval(() => {
            if (before === undefined) {
              before = state();
              const registration = remove(process.env.WORK + "/x");
              during = state();
              registration.run();
            }
            const now = state();
            if (now !== before && Date.now() < end) return;
            clearInterval(timer);
            console.log(JSON.stringify({ before, during, now }));
          }, 10);`;
      const { stdout } = await place.run(source);
      const { before, during, now } = JSON.parse(stdout) as Record<string, string>;
      assert.equal(now, before);
      assert.notEqual(during, before, "and in between there was something to see");
    }));

  test("what is left of its life keeps no process alive", () =>
    inPlace(async (place) => {
      const source = `
          import { remove } from "atexit/durable";
          import { readFileSync } from "node:fs";
          remove(process.env.WORK + "/x").run();
          const { pid } = process;
          process.on("beforeExit", () => console.log(readFileSync(\`/proc/\${pid}/task/\${pid}/children\`, "utf8")));`;
      const { stdout, code } = await place.run(source);
      assert.equal(code, 0);
      assert.match(stdout, /\d/, "it ends while its guard still waits for another recipe");
      assert.deepEqual(place.left(), [], "and there is no journal when it has ended");
    }));
});

test("a journal does not grow with what was cancelled", () =>
  inPlace(async (place) => {
    const source = `
      import { remove } from "atexit/durable";
      import { readdirSync, statSync } from "node:fs";
      const { ATEXIT_DIR, WORK } = process.env;
      remove(WORK + "/stays");
      const journal = ATEXIT_DIR + "/" + readdirSync(ATEXIT_DIR)[0];
      let greatest = 0;
      for (let times = 0; times < 20_000; times += 1) {
        remove(WORK + "/file-" + times).cancel();
        if (times % 10 === 0) greatest = Math.max(greatest, statSync(journal).size);
      }
      console.log(greatest);`;
    const { stdout } = await place.run(source);
    assert.ok(Number(stdout) > 10_000 && Number(stdout) < 200_000, `at most ${stdout} bytes`);
  }));

test("a program that makes and removes one file again and again starts one guard", () =>
  inPlace(async (place) => {
    const source = `
      import { createRequire } from "node:module";
      import { setTimeout as sleep } from "node:timers/promises";
      const childProcess = createRequire(import.meta.url)("node:child_process");
      const { spawn } = childProcess;
      let spawned = 0;
      childProcess.spawn = (...args) => ((spawned += 1), spawn(...args));
      const { remove } = await import("atexit/durable");
      for (let times = 0; times < 50; times += 1) {
        remove(process.env.WORK + "/file").run();
        await sleep(1);
      }
      console.log(spawned);`;
    assert.equal((await place.run(source)).stdout, "1\n");
  }));

test("ATEXIT_GUARD=off and configure({ guard: false }) start no process", () =>
  inPlace(async (place) => {
    const source = `
      import { configure, remove } from "atexit/durable";
      import { readFileSync } from "node:fs";
      if (process.env.ATEXIT_GUARD === undefined) configure({ guard: false });
      remove(process.env.WORK + "/x");
      const { pid } = process;
      console.log(JSON.stringify(readFileSync(\`/proc/\${pid}/task/\${pid}/children\`, "utf8")));`;
    for (const env of [{ ATEXIT_GUARD: "off" }, {}]) {
      const { stdout, stderr } = await place.run(source, { env });
      assert.equal(stdout, '""\n', stderr);
      assert.equal(stderr, "");
    }
  }));

test("a recovery sweeps what is of no use any more, and keeps what may be", () =>
  inPlace(async (place) => {
    // A name of a process that has ended: the test's own program.
    await place.run(
      'import { remove } from "atexit/durable"; remove("/nowhere/x"); process.kill(process.pid, "SIGKILL");',
      {
        env: { ATEXIT_GUARD: "off" },
      },
    );
    const [dead] = place.left() as [string];
    const other = dead.replace(/[0-9a-f]{8}\.jsonl$/, "00000000.jsonl");
    const put = (name: string, daysAgo = 0) => {
      const path = join(place.journals, name);
      writeFileSync(path, "", { mode: 0o600 });
      const then = Date.now() / 1000 - daysAgo * 86_400;
      utimesSync(path, then, then);
    };
    put(`${other}.tmp`);
    put(`${other}.next`);
    put(other); // empty
    put(`${other}.refused`, 40);
    put(`${other.replace("00000000", "11111111")}.refused`, 20);
    put("something else");
    await place.recover();
    await place.recover(); // some of it is swept when its journal is gone
    assert.deepEqual(place.left().sort(), [`${other.replace("00000000", "11111111")}.refused`, "something else"]);
  }));

test("the log is bounded", () =>
  inPlace(async (place) => {
    const log = join(place.journals, "log.jsonl");
    const row = `${JSON.stringify({ at: "2026-01-01T00:00:00.000Z", by: 1, title: "x".repeat(1_000), outcome: "done" })}\n`;
    writeFileSync(log, row.repeat(600), { mode: 0o600 });
    const source = (name: string) =>
      `import { exec } from "atexit/durable"; exec("true", ["${name}"]); process.kill(process.pid, "SIGKILL");`;
    for (const name of ["one", "two"]) {
      await place.run(source(name));
      await place.quiet();
    }
    assert.ok(existsSync(join(place.journals, "log.old.jsonl")));
    assert.ok(readFileSync(log).length < 1_000);
    const { stdout } = await place.run(
      'import { replays } from "atexit/durable"; console.log(replays().slice(-2).map(({ title }) => title).join());',
    );
    assert.equal(stdout, "exec true one,exec true two\n");
  }));

test("a stopped program's guard waits with it", () =>
  inPlace(async (place) => {
    mkdirSync(join(place.work, "scratch"));
    const source = `
      import { remove } from "atexit/durable";
      remove(process.env.WORK + "/scratch");
      setInterval(() => {}, 1_000);
      process.stdout.write("ready\\n");`;
    await place.run(source, {
      async act(child) {
        await printed(child, "ready\n");
        child.kill("SIGSTOP");
        await until(() => place.waitingGuards().length === 1 && place.guards().length === 1);
        assert.deepEqual(readdirSync(place.work), ["scratch"]);
        child.kill("SIGKILL");
      },
    });
    await place.quiet();
    assert.deepEqual(readdirSync(place.work), []);
  }));
