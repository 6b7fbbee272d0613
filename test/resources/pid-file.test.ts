// A pid file: what is in it, who may write it, and who removes it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { LockHeldError, pidFile } from "../../src/resources/index.ts";
import { noteMissing } from "../support/missing.ts";
import { inPlace } from "../support/place.ts";
import { printed, statusOf } from "../support/run.ts";

const HOLD = `
  import { pidFile } from "atexit/resources";
  import { readFileSync, renameSync, writeFileSync } from "node:fs";
  const path = process.env.WORK + "/app.pid";
  const file = pidFile(path);
  console.log(readFileSync(path, "utf8") === process.pid + "\\n" ? "held" : "wrong");
`;

/** From a container nobody can tell who is dead. Source: include/linux/proc_ns.h. */
const isInContainer = process.platform === "linux" && readlinkSync("/proc/self/ns/pid") !== "pid:[4026531836]";
const seesNotAll = isInContainer && noteMissing("pid files of dead programs", "needs the first pid namespace");

/** Starts a process, and ends it: a pid that nobody has, unless it was given again just now. */
async function pidOfDead(): Promise<number> {
  const ended = spawn("true");
  await once(ended, "exit");
  return ended.pid as number;
}

describe("pidFile()", { concurrency: 2 }, () => {
  for (const [way, leave, status] of [
    ["the natural end", "", "0"],
    ["process.exit", "process.exit(3);", "3"],
    ["a throw", "throw new Error('thrown');", "1"],
    ["SIGTERM", "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
    ["remove()", "file.remove(); file.remove(); process.kill(process.pid, 'SIGKILL');", "SIGKILL"],
    ["SIGKILL", "process.kill(process.pid, 'SIGKILL');", "SIGKILL"],
    ["process.abort()", "process.abort();", "SIGABRT"],
  ] as const) {
    test(`holds the pid, and is gone after ${way}`, () =>
      inPlace(async (place) => {
        const ended = await place.run(HOLD + leave);
        assert.deepEqual([ended.stdout, statusOf(ended)], ["held\n", status], ended.stderr);
        await place.quiet();
        assert.deepEqual([readdirSync(place.work), place.left()], [[], []]);
      }));
  }

  test("is refused where another process has it, which the error names; all may read it", () =>
    inPlace(async (place) => {
      const path = join(place.work, "app.pid");
      await place.run(`${HOLD} setInterval(() => {}, 1_000);`, {
        async act(child) {
          await printed(child, "held");
          try {
            const is = (error: unknown) => error instanceof LockHeldError && error.pid === child.pid;
            assert.throws(() => pidFile(path), is);
            assert.deepEqual([readFileSync(path, "utf8"), statSync(path).mode & 0o777], [`${child.pid}\n`, 0o644]);
          } finally {
            child.kill("SIGKILL");
          }
        },
      });
      await place.quiet();
      pidFile(path).remove();
      assert.deepEqual(readdirSync(place.work), []);
    }));

  test("is refused where a program of another kind has it and is alive, or something else is there: it stays", () =>
    inPlace(async ({ work }) => {
      const path = join(work, "app.pid");
      for (const content of [`${process.ppid}\n`, String(process.ppid), "", "no pid", "1 2", "9".repeat(100)]) {
        writeFileSync(path, content);
        const message = content.startsWith(String(process.ppid))
          ? new RegExp(`process ${process.ppid}\\b.* is alive`)
          : /no pid/;
        assert.throws(() => pidFile(path), { code: "ERR_ATEXIT_PID_FILE", message });
        assert.deepEqual([readdirSync(work), readFileSync(path, "utf8")], [["app.pid"], content]);
      }
      mkdirSync(join(work, "directory"));
      assert.throws(() => pidFile(join(work, "directory")), { code: "ERR_ATEXIT_PID_FILE" });
      assert.throws(() => pidFile(join(work, "nowhere", "app.pid")), { code: "ERR_ATEXIT_LOCK" });
      for (const given of ["", undefined, 7])
        assert.throws(() => pidFile(given as string), { code: "ERR_ATEXIT_OPTION" });
    }));

  test("replaces what a dead program has left, and one of its own number", { skip: seesNotAll }, () =>
    inPlace(async ({ work }) => {
      const path = join(work, "app.pid");
      for (const pid of [await pidOfDead(), process.pid]) {
        writeFileSync(path, `${pid}\n`);
        const file = pidFile(path);
        assert.equal(readFileSync(file.path, "utf8"), `${process.pid}\n`);
        file[Symbol.dispose]();
      }
      assert.deepEqual(readdirSync(work), []);
    }),
  );

  for (const [how, act] of [
    ["written over", 'writeFileSync(path, "12345\\n");'],
    ["replaced", 'writeFileSync(path + ".new", "12345\\n"); renameSync(path + ".new", path);'],
  ] as const) {
    for (const [way, leave] of [
      ["process.exit", "process.exit(0);"],
      ["SIGKILL", "process.kill(process.pid, 'SIGKILL');"],
    ] as const) {
      test(`that was ${how} by another program stays after ${way}, and somebody is told`, () =>
        inPlace(async (place) => {
          const ended = await place.run(`${HOLD} ${act} ${leave}`);
          await place.quiet();
          assert.equal(readFileSync(join(place.work, "app.pid"), "utf8"), "12345\n");
          assert.deepEqual(readdirSync(place.work), ["app.pid"]);
          const told = way === "SIGKILL" ? JSON.stringify(place.log()) : ended.stderr;
          assert.match(told, /app\.pid/);
        }));
    }
  }

  test("is never seen without its content", () =>
    inPlace(async ({ work }) => {
      const path = join(work, "app.pid");
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const source = `
        const { workerData: { path, stop }, parentPort } = require("node:worker_threads");
        const fs = require("node:fs");
        const seen = new Set();
        parentPort.postMessage("ready");
        while (Atomics.load(stop, 0) === 0) {
          try { seen.add(fs.readFileSync(path, "utf8")); } catch (error) { if (error.code !== "ENOENT") throw error; }
        }
        parentPort.postMessage([...seen]);`;
      const reader = new Worker(source, { eval: true, workerData: { path, stop } });
      await once(reader, "message");
      const told = once(reader, "message");
      for (let n = 0; n < 50; n += 1) pidFile(path).remove();
      Atomics.store(stop, 0, 1);
      assert.deepEqual(await told, [[`${process.pid}\n`]]);
    }));
});

test("a pid file that was moved away stays where it is, and none is missed", () =>
  inPlace(async ({ work }) => {
    const path = join(work, "app.pid");
    const file = pidFile(path);
    renameSync(path, join(work, "moved"));
    file.remove();
    assert.deepEqual(readdirSync(work), ["moved"]);
  }));
