// ATEXIT_TRACE: one record a step, as it happens; and whoever carries on writes
// on in it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import type { TraceRecord } from "../../src/trace/trace-event.ts";
import { outcomesOf, recordsOf, storiesOf, traceOf } from "../support/trace.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { statusOf } from "../support/run.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

/** The user that owns nothing. */
const NOBODY = 65_534;

const HEAD = `
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { exiting, register } from "atexit";
import { remove } from "atexit/durable";
`;

/** Runs a program that writes its trace, and waits until all that carries on for it has ended. */
async function traced(place: Place, source: string, env: NodeJS.ProcessEnv = {}) {
  const ended = await place.run(HEAD + source, { env: { ATEXIT_TRACE: traceOf(place), ...env } });
  await place.quiet();
  return ended;
}

/** As viewers read it: within one id each end is that of the last beginning, and none is left open. */
function assertNests(records: readonly TraceRecord[]): void {
  const open = new Map<string, string[]>();
  let last = 0;
  for (const { ph, id = "", name, ts } of records) {
    if (ph === "M") continue;
    assert.ok(ts >= last, `${name} at ${ts}`);
    last = ts;
    const names = open.get(id) ?? [];
    if (ph === "b") open.set(id, [...names, name]);
    else if (ph === "e") assert.equal(names.pop(), name);
  }
  for (const [id, names] of open) assert.deepEqual(names, [], id);
}

describe("a trace on disk", () => {
  it("tells of each cleanup, in the format of trace viewers", () =>
    inPlace(async (place) => {
      const ended = await traced(
        place,
        `register({ name: "below" }, () => { throw new Error("no") });
          register({ name: "above" }, () => sleep(20));
          process.exit(3);`,
      );
      assert.equal(statusOf(ended), "3");
      const records = recordsOf(traceOf(place));
      const steps = records.filter(({ ph }) => ph !== "M").map(({ ph, name }) => `${ph} ${name}`);
      assert.deepEqual(steps, ["b shutdown: exit", "b above", "e above", "b below", "e below", "e shutdown: exit"]);
      const [, above, aboveEnd] = records.filter(({ ph }) => ph !== "M");
      const took = ((aboveEnd?.ts ?? 0) - (above?.ts ?? 0)) / 1_000;
      assert.ok(took >= 19 && took < 5_000, `${took} ms`);
      // Viewers put together what has one id in one process.
      assert.equal(new Set(records.flatMap(({ id }) => id ?? [])).size, 1);
      assert.ok(records.every(({ pid, tid, ts }) => pid === tid && ts >= 0));
      const names = records.filter(({ name }) => name === "thread_name").map(({ args }) => args["name"]);
      assert.deepEqual(names, ["main thread"]);
      const [story] = await storiesOf(place, traceOf(place));
      assert.deepEqual(story && outcomesOf(story), ["above: ok", "below: failed"]);
      assert.match(story?.rows[1]?.error ?? "", /^Error: no\n.*program\.mjs/s);
      assert.match(story?.rows[1]?.site ?? "", /program\.mjs:\d+:\d+/);
      assert.equal(story?.exit?.kind, "exit");
    }));

  it("shows how far a shutdown came that was killed, and what the guard did then", () =>
    inPlace(async (place) => {
      const ended = await traced(
        place,
        `register({ name: "never" }, () => {});
          writeFileSync(process.env.WORK + "/file", "");
          remove(process.env.WORK + "/file");
          register({ name: "killed" }, async () => { await sleep(10); process.kill(process.pid, "SIGKILL"); await sleep(5000) });
          register({ name: "done" }, () => sleep(10));
          process.exit(0);`,
      );
      assert.equal(statusOf(ended), "SIGKILL");
      assert.equal(existsSync(join(place.work, "file")), false);
      const stories = await storiesOf(place, traceOf(place));
      const [story] = stories;
      assert.equal(stories.length, 1);
      assert.equal(story?.outcome, "cut off");
      const file = join(place.work, "file");
      const expected = ["done: ok", "killed: cut off", `remove ${file}: done by the guard`, "never: never ran"];
      assert.deepEqual(outcomesOf(story), expected);
      assert.equal(story.rows[2]?.replay?.by, "guard");
      assert.equal(story.rows[2].replay.outcome, "done");
    }));

  it("a process that was killed before any shutdown has its story told by the guard", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `const file = process.env.WORK + "/file";
          writeFileSync(file, "");
          remove(file);
          process.kill(process.pid, "SIGKILL");`,
      );
      const [story] = await storiesOf(place, traceOf(place));
      assert.equal(story?.exit, undefined);
      assert.deepEqual(story && outcomesOf(story), [`remove ${join(place.work, "file")}: done by the guard`]);
    }));

  it("the next start writes on in it, where the guard died too", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `const file = process.env.WORK + "/file";
          writeFileSync(file, "");
          remove(file);
          register({ name: "killed" }, () => process.kill(process.pid, "SIGKILL"));
          process.exit(0);`,
        { ATEXIT_GUARD: "off" },
      );
      assert.equal(existsSync(join(place.work, "file")), true);
      const before = await storiesOf(place, traceOf(place));
      const name = `remove ${join(place.work, "file")}`;
      assert.deepEqual(before[0] && outcomesOf(before[0]), ["killed: cut off", `${name}: never ran`]);
      await place.recover();
      const after = await storiesOf(place, traceOf(place));
      assert.equal(after.length, 1);
      assert.deepEqual(after[0] && outcomesOf(after[0]), ["killed: cut off", `${name}: done at the next start`]);
    }));

  it("a recipe that is given up in its process is done by the guard", () =>
    inPlace(async (place) => {
      const ended = await traced(
        place,
        `import { exec } from "atexit/durable";
          exec("sleep", ["3"]);`,
        { ATEXIT_GRACE: "1000" },
      );
      assert.equal(statusOf(ended), "1");
      const [story] = await storiesOf(place, traceOf(place));
      assert.deepEqual(
        story?.rows.map(({ outcome }) => outcome),
        ["done by the guard"],
      );
      assert.equal(story?.outcome, "given up");
    }));

  it("threads and processes have one file, and each a lane", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `import { spawnSync } from "node:child_process";
          import { once } from "node:events";
          import { Worker } from "node:worker_threads";
          register({ name: "main" }, () => {});
          if (process.argv[2] !== "child") {
            const source = \`import("\${import.meta.resolve("atexit")}").then(({ register }) => register({ name: "worker" }, () => {}))\`;
            await once(new Worker(source, { eval: true }), "exit");
            spawnSync(process.execPath, [process.argv[1], "child"]);
          }`,
      );
      const stories = await storiesOf(place, traceOf(place));
      assert.deepEqual(
        stories.map((story) => [story.thread, ...outcomesOf(story)]),
        [
          ["worker 1", "worker: ok"],
          ["main thread", "main: ok"],
          ["main thread", "main: ok"],
        ],
      );
      assert.equal(stories[0]?.pid, stories[2]?.pid);
      assert.notEqual(stories[1]?.pid, stories[2]?.pid);
    }));

  it("a directory gets a file for each process", () =>
    inPlace(async (place) => {
      const env = { ATEXIT_TRACE: `${join(place.work, "traces")}/` };
      for (let run = 0; run < 2; run += 1) await traced(place, "register(() => {});", env);
      const files = readdirSync(join(place.work, "traces"));
      assert.equal(files.length, 2);
      for (const file of files) assert.match(file, /^program\.mjs-\d+-\d+\.trace\.json$/);
      assert.equal((await storiesOf(place, join(place.work, "traces"))).length, 2);
    }));

  it("one that cannot be written is said once, and changes nothing else", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "no-directory"), "");
      const env = { ATEXIT_TRACE: join(place.work, "no-directory", "trace.json") };
      const ended = await traced(place, "register(() => console.log('b')); register(() => console.log('a'));", env);
      assert.equal(ended.stdout, "a\nb\n");
      assert.match(ended.stderr, /^atexit: ATEXIT_TRACE=.* is ignored: E\w+: .*\n$/);
      assert.equal(statusOf(ended), "0");
    }));

  const KILLED = `writeFileSync(process.env.WORK + "/file", "");
    remove(process.env.WORK + "/file");
    process.kill(process.pid, "SIGKILL");`;

  const inItsPlace: Readonly<Record<string, (path: string) => void>> = {
    "a named pipe": (path) => execFileSync("mkfifo", [path]),
    "a link to a named pipe": (path) => {
      execFileSync("mkfifo", [`${path}.pipe`]);
      symlinkSync(`${path}.pipe`, path);
    },
    "a link to a device": (path) => symlinkSync("/dev/full", path),
    "a link that leads nowhere": (path) => symlinkSync(`${path}.none`, path),
    "a link in a circle": (path) => symlinkSync(path, path),
  };
  for (const [what, put] of Object.entries(inItsPlace)) {
    it(`${what} in its place: the program ends as it would have, the guard does its work, and one line says so`, () =>
      inPlace(async (place) => {
        put(traceOf(place));
        const ended = await traced(place, `register(() => console.log("a")); process.exit(3);`);
        assert.equal(statusOf(ended), "3");
        assert.equal(ended.stdout, "a\n");
        assert.match(ended.stderr, /^atexit: ATEXIT_TRACE=.* is ignored: E\w+: .*\n$/);
        assert.equal(statusOf(await traced(place, KILLED)), "SIGKILL");
        assert.equal(existsSync(join(place.work, "file")), false);
        assert.equal(existsSync(`${traceOf(place)}.none`), false);
      }));
  }

  it("a pipe in its place gets nothing, also while somebody reads from it", () =>
    inPlace(async (place) => {
      execFileSync("mkfifo", [traceOf(place)]);
      const { O_NONBLOCK, O_RDONLY } = constants;
      const fd = openSync(traceOf(place), O_RDONLY | O_NONBLOCK);
      try {
        const ended = await traced(place, `register(() => {}); process.exit(3);`);
        assert.equal(statusOf(ended), "3");
        assert.match(ended.stderr, /^atexit: ATEXIT_TRACE=.* is ignored: EFTYPE: .* is no regular file\n$/);
        assert.equal(readSync(fd, Buffer.alloc(10)), 0);
      } finally {
        closeSync(fd);
      }
    }));

  it("the program's user may have made it a link to a file, and another user may not", { skip: notRoot }, () =>
    inPlace(async (place) => {
      const file = join(place.work, "elsewhere.json");
      writeFileSync(file, "[\n");
      symlinkSync(file, traceOf(place));
      const own = await traced(place, `register({ name: "a" }, () => {});`);
      assert.deepEqual([statusOf(own), own.stderr], ["0", ""]);
      const [story] = await storiesOf(place, file);
      assert.deepEqual(story && outcomesOf(story), ["a: ok"]);
      const before = readFileSync(file, "utf8");
      lchownSync(traceOf(place), NOBODY, NOBODY);
      const foreign = await traced(place, `register({ name: "a" }, () => {});`);
      assert.equal(statusOf(foreign), "0");
      assert.match(foreign.stderr, /^atexit: ATEXIT_TRACE=.* is ignored: ELOOP: .*\n$/);
      assert.equal(readFileSync(file, "utf8"), before);
    }),
  );

  it("a file of another user's gets nothing, also where anybody may write to it", { skip: notRoot }, () =>
    inPlace(async (place) => {
      writeFileSync(traceOf(place), "");
      chmodSync(traceOf(place), 0o666);
      chownSync(traceOf(place), NOBODY, NOBODY);
      const ended = await traced(place, `register(() => {}); process.exit(3);`);
      assert.equal(statusOf(ended), "3");
      assert.match(ended.stderr, /^atexit: ATEXIT_TRACE=.* is ignored: .* belongs to another user \(uid 65534\)\n$/);
      assert.equal(readFileSync(traceOf(place), "utf8"), "");
    }),
  );

  it("the guard follows no link that somebody has put in the trace's place", () =>
    inPlace(async (place) => {
      const victim = join(place.work, "victim");
      writeFileSync(victim, "mine\n");
      symlinkSync(victim, traceOf(place));
      await traced(
        place,
        `writeFileSync(process.env.WORK + "/file", "");
          remove(process.env.WORK + "/file");
          process.kill(process.pid, "SIGKILL");`,
      );
      assert.equal(readFileSync(victim, "utf8"), "mine\n");
      assert.equal(existsSync(join(place.work, "file")), false);
    }));

  it("cleanups that the program runs itself are in no trace", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `await register({ name: "scope" }, () => sleep(1)).run(); register({ name: "end" }, () => {});`,
      );
      const [story] = await storiesOf(place, traceOf(place));
      assert.deepEqual(story && outcomesOf(story), ["end: ok"]);
    }));

  it("one that run() had begun is waited for, and is in it", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `register({ name: "below" }, () => {});
          const exits = new Promise((fires) => exiting.addEventListener("abort", fires));
          void register({ name: "begun" }, () => exits.then(() => sleep(10))).run();
          await sleep(1);
          process.exit(0);`,
      );
      const [story] = await storiesOf(place, traceOf(place));
      assert.deepEqual(story && outcomesOf(story), ["begun: ok", "below: ok"]);
      assertNests(recordsOf(traceOf(place)).sort((a, b) => a.ts - b.ts));
      assert.ok(story !== undefined && (story.rows[0]?.startedAt ?? 0) < story.beganAt);
    }));

  it("a cleanup that runs others, one after the other and at once", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `register({ name: "outer" }, async () => {
            await register({ name: "first" }, () => sleep(20)).run();
            let end;
            const ended = new Promise((resolve) => (end = resolve));
            // The longer one begins before the other and ends after it, however busy the machine is.
            const longer = register({ name: "longer" }, () => ended.then(() => sleep(20)));
            const shorter = register({ name: "shorter" }, () => sleep(20).then(end));
            await Promise.all([longer.run(), shorter.run()]);
          });`,
      );
      const [story] = await storiesOf(place, traceOf(place));
      assert.deepEqual(
        story?.rows.map(({ name, within }) => [name, within]),
        [
          ["outer", undefined],
          ["first", 0],
          ["longer", 0],
          ["shorter", 0],
        ],
      );
      assertNests(recordsOf(traceOf(place)));
      const { stdout } = await atexit(place, ["report", traceOf(place)]);
      const critical = stdout.slice(stdout.indexOf("Critical path"));
      // Between them stands what the outer one did itself, where that took long enough to be shown.
      assert.deepEqual(critical.match(/(?<= {2})[a-z]+(?: \d)?$/gm), ["outer", "first", "longer"]);
    }));

  it("a program that goes to another directory does not take its trace along", () =>
    inPlace(async (place) => {
      await traced(
        place,
        `register({ name: "a" }, () => {});
          process.chdir("/");
          writeFileSync(process.env.WORK + "/file", "");
          remove(process.env.WORK + "/file");
          register({ name: "killed" }, () => process.kill(process.pid, "SIGKILL"));
          process.exit(0);`,
        { ATEXIT_TRACE: relative(process.cwd(), traceOf(place)) },
      );
      const [story] = await storiesOf(place, traceOf(place));
      const name = `remove ${join(place.work, "file")}`;
      assert.deepEqual(story && outcomesOf(story), ["killed: cut off", `${name}: done by the guard`, "a: never ran"]);
    }));

  it("where the file system is not to be written, it says so (permission model)", () =>
    inPlace(async (place) => {
      const flag = process.allowedNodeEnvironmentFlags.has("--permission")
        ? "--permission"
        : "--experimental-permission";
      mkdirSync(join(place.work, "traces"));
      const ended = await place.run(`import { register } from "atexit"; register(() => console.log("a"));`, {
        nodeOptions: ["--no-warnings", flag, "--allow-fs-read=*"],
        env: { ATEXIT_TRACE: join(place.work, "traces", "t.json") },
      });
      assert.equal(ended.stdout, "a\n", ended.stderr);
      assert.match(ended.stderr, /^atexit: ATEXIT_TRACE=.* is ignored: .*\n$/);
      assert.equal(statusOf(ended), "0");
    }));
});
