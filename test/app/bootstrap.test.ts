// The reference program of atexit/app on each way out, and the next start.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { examplesDirectory } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { linesOf, printed, run, type RunOptions, statusOf, until } from "../support/run.ts";

const PROGRAM = join(examplesDirectory(), "app-bootstrap.mjs");

/** A home of its own, with nothing of systemd and of XDG. */
const environment = ({ work, journals }: Place) => ({
  PATH: process.env["PATH"],
  HOME: work,
  ATEXIT_DIR: journals,
});

const state = ({ work }: Place) => join(work, ".local/state/myapp");
const bootstrap = (place: Place, args: readonly string[], options: RunOptions = {}) =>
  run(process.execPath, [PROGRAM, ...args], { env: environment(place), ...options });

/** What it prints and logs, whether it reaches its end or not. */
const printedBy = (place: Place, work: readonly string[]) =>
  [
    `[myapp] Lock acquired: ${state(place)}/myapp.lock`,
    `[myapp] Log opened: ${state(place)}/myapp.log`,
    "Application doing work...",
    ...work,
    "[myapp] Log closed.",
    "[myapp] Lock released. Uptime: 0.1s\n",
  ].join("\n");
const LOGGED = ["=== myapp started ===", "Processed 42 requests", "=== myapp stopped ==="];

/** Uptimes of a busy machine. */
const timeless = (text: string) => text.replace(/Uptime: \d+\.\ds/, "Uptime: 0.1s");

describe("the reference program", () => {
  for (const [how, args, work, status] of [
    ["the natural end", [], ["Work complete."], "0"],
    ["process.exit(3)", ["exit"], [], "3"],
    ["an uncaught error", ["throw"], [], "1"],
    ["SIGTERM", ["SIGTERM"], [], "SIGTERM"],
    ["SIGINT", ["SIGINT"], [], "SIGINT"],
  ] as const) {
    test(`${how}: the log is closed, then the lock is let go, and nothing but the log is left`, () =>
      inPlace(async (place) => {
        const ended = await bootstrap(place, args);
        assert.equal(statusOf(ended), status);
        assert.equal(timeless(ended.stdout), printedBy(place, work));
        if (how === "an uncaught error") assert.match(ended.stderr, /^file:.*\n[^]*Error: The work went wrong\.\n/);
        else assert.equal(ended.stderr, "");
        assert.deepEqual(linesOf(join(state(place), "myapp.log")), LOGGED);
        assert.deepEqual(readdirSync(state(place)), ["myapp.log"]);
      }));
  }

  test("SIGKILL: the next start runs at once, and its log says that the last one was killed", () =>
    inPlace(async (place) => {
      const killed = await bootstrap(place, ["SIGKILL"]);
      assert.equal(statusOf(killed), "SIGKILL");
      const next = await bootstrap(place, []);
      assert.equal(timeless(next.stdout), printedBy(place, ["Work complete."]));
      const log = linesOf(join(state(place), "myapp.log"));
      assert.deepEqual([log[0], log[1], ...log.slice(3)], ["=== myapp started ===", LOGGED[1], ...LOGGED]);
      assert.match(
        log[2] as string,
        /^=== myapp was killed \(PID \d+, started 20\S+Z\): its end was seen by nobody ===$/,
      );
      assert.equal((await bootstrap(place, [])).code, 0);
      assert.deepEqual(linesOf(join(state(place), "myapp.log")).slice(-3), LOGGED);
      assert.equal(linesOf(join(state(place), "myapp.log")).length, log.length + 3, "it is said once");
    }));

  test("a second instance says so and ends with 1, touching nothing", () =>
    inPlace(async (place) => {
      const source = `
          import { start } from "atexit/app";
          const app = await start("myapp");
          app.log("mine");
          console.log("runs", process.pid);
          setInterval(() => {}, 1_000);`;
      const first = await place.run(source, {
        env: environment(place),
        act: async (child) => {
          await printed(child, "runs");
          // The holder itself writes into its lock for a moment, to prove that it is alive.
          const own = ["myapp.log", "myapp.run"].map((name) => join(state(place), name));
          const files = () => [readdirSync(state(place)), own.map((path) => statSync(path).mtimeMs)];
          const before = files();
          const second = await bootstrap(place, []);
          assert.equal(second.code, 1);
          assert.equal(second.stdout, "");
          const [said, detail] = second.stderr.split("\n");
          assert.equal(said, `App already running (PID ${child.pid})`);
          assert.match(
            detail as string,
            new RegExp(
              `^${state(place)}/myapp\\.lock is held by process ${child.pid} on \\S+ \\(.*program.*\\) since 20\\S+Z \\(.*\\)\\.$`,
            ),
          );
          assert.deepEqual(files(), before);
          child.kill("SIGTERM");
        },
      });
      assert.equal(statusOf(first), "SIGTERM", first.stderr);
      assert.deepEqual(linesOf(join(state(place), "myapp.log")), [
        "=== myapp started ===",
        "mine",
        "=== myapp stopped ===",
      ]);
    }));
});

test("a run that was cut off by a reboot is told from one that was killed", () =>
  inPlace(async (place) => {
    const { stdout, stderr } = await place.run(
      `
      import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
      import { start } from "atexit/app";
      const dir = process.env.HOME + "/state";
      mkdirSync(dir, { mode: 0o700 });
      for (const content of [
        JSON.stringify({ pid: 12, since: "2026-01-02T03:04:05.678Z", boot: "another" }), "torn {", "[]",
      ]) {
        writeFileSync(dir + "/myapp.run", content);
        const app = await start("myapp", { dir, quiet: true });
        console.log(readFileSync(dir + "/myapp.log", "utf8").trim().split("\\n").at(-2), app.lost.rebooted);
        await app.close();
      }
      console.log((await start("myapp", { dir, quiet: true })).lost);`,
      { env: environment(place) },
    );
    assert.deepEqual(
      stdout.split("\n"),
      [
        "=== myapp was cut off: the machine stopped (PID 12, started 2026-01-02T03:04:05.678Z) === true",
        "=== myapp was cut off: the machine stopped === true",
        "=== myapp was cut off: the machine stopped === true",
        "undefined",
        "",
      ],
      stderr,
    );
  }));

describe("places", () => {
  const where = `
    import { start } from "atexit/app";
    const app = await start("myapp", JSON.parse(process.env.OPTIONS ?? "{}"));
    console.log(app.logPath);`;

  test("are systemd's, then XDG's, then those of the home directory; or what the program says", () =>
    inPlace(async (place) => {
      const { work } = place;
      for (const [env, lock, log] of [
        [{}, ".local/state/myapp/myapp.lock", ".local/state/myapp/myapp.log"],
        [{ XDG_STATE_HOME: join(work, "xdg") }, "xdg/myapp/myapp.lock", "xdg/myapp/myapp.log"],
        [{ XDG_STATE_HOME: "relative" }, ".local/state/myapp/myapp.lock", ".local/state/myapp/myapp.log"],
        [
          { STATE_DIRECTORY: `${join(work, "lib")}:/other`, LOGS_DIRECTORY: join(work, "logs"), XDG_STATE_HOME: "/x" },
          "lib/myapp.lock",
          "logs/myapp.log",
        ],
        [{ OPTIONS: JSON.stringify({ dir: join(work, "d") }) }, "d/myapp.lock", "d/myapp.log"],
        [
          { OPTIONS: JSON.stringify({ dir: join(work, "d"), lock: join(work, "l"), log: join(work, "deep/er/log") }) },
          "l",
          "deep/er/log",
        ],
      ] as const) {
        const { stdout, stderr } = await place.run(where, { env: { ...environment(place), ...env } });
        assert.match(stdout, new RegExp(`Lock acquired: ${join(work, lock)}\n`), stderr);
        assert.match(stdout, new RegExp(`Log opened: ${join(work, log)}\n`));
        assert.equal(statSync(join(work, log)).mode & 0o777, 0o600);
      }
    }));

  test("without a home, a private directory under the system's temp", () =>
    inPlace(async (place) => {
      const temp = mkdtempSync(join(tmpdir(), "atexit-app-"));
      const { stdout, stderr } = await place.run(where, { env: { ...environment(place), HOME: "/", TMPDIR: temp } });
      const directory = join(temp, `myapp-${process.getuid?.()}`);
      assert.match(stdout, new RegExp(`Lock acquired: ${directory}/myapp.lock\n`), stderr);
      assert.equal(statSync(directory).mode & 0o777, 0o700);
      rmSync(temp, { recursive: true });
    }));

  test("no lock, no log: several may run, and log() prints", () =>
    inPlace(async (place) => {
      const { stdout, stderr } = await place.run(
        `
        import { start } from "atexit/app";
        const one = await start("myapp", { lock: false, log: false });
        const two = await start("myapp", { lock: false, log: false, timestamps: true });
        one.log("one");
        two.log("two");`,
        { env: environment(place) },
      );
      assert.match(stdout, /^one\n20\d\d-\d\d-\d\dT[\d:.]+Z two\n$/, stderr);
      assert.deepEqual(readdirSync(state(place)), []);
    }));
});

test("a name that is none of a file is refused, with what to pass", () =>
  inPlace(async (place) => {
    const { stdout } = await place.run(
      `
      import { start } from "atexit/app";
      for (const name of ["", "a/b", "..", ".hidden", "a b", 5, undefined]) {
        await start(name).catch(({ code, message }) => console.log(code, /such as|as in "my-app"/.test(message)));
      }`,
      { env: environment(place) },
    );
    assert.equal(stdout, "ERR_ATEXIT_NAME true\n".repeat(7));
  }));

test("close(): all that was added is closed in its order, once, and the next start succeeds", () =>
  inPlace(async (place) => {
    const { stdout, stderr } = await place.run(
      `
      import { createServer } from "node:http";
      import { start } from "atexit/app";
      const dir = process.env.HOME;
      const app = await start("myapp", { dir, quiet: true });
      app.use({ close: async () => console.log("pool") });
      app.use({ drain: () => console.log("queue") }, (queue) => queue.drain());
      const { port } = await app.serve(createServer(), { host: "127.0.0.1" });
      console.log(typeof port);
      await start("myapp", { dir, quiet: true, ifRunning: "throw" }).catch(({ code, pid }) => console.log(code, pid === process.pid));
      await Promise.all([app.close(), app.close()]);
      try { app.use({ close() {} }); } catch ({ code }) { console.log(code); }
      const again = await start("myapp", { dir, quiet: true });
      console.log("again", again.lost);
      await again[Symbol.asyncDispose]();`,
      { env: environment(place) },
    );
    assert.equal(
      stdout,
      "number\nERR_ATEXIT_LOCK_HELD true\nqueue\npool\nERR_ATEXIT_ALREADY_LEAVING\nagain undefined\n",
      stderr,
    );
  }));

test("wait: the next instance starts when the one before it has ended", () =>
  inPlace(async (place) => {
    const source = (wait: number) => `
      import { start } from "atexit/app";
      await start("myapp", { wait: ${wait} });
      console.log("runs");
      ${wait === 0 ? "setInterval(() => {}, 1_000);" : ""}`;
    await place.run(source(0), {
      env: environment(place),
      act: async (child) => {
        await printed(child, "runs");
        const next = await place.run(source(60_000), {
          env: environment(place),
          act: async () => {
            // It waits when it has a file of its own beside the lock, as the holder has.
            await until(() => readdirSync(state(place)).filter((name) => name.startsWith("myapp.lock.")).length === 2);
            child.kill("SIGTERM");
          },
        });
        assert.equal(next.code, 0, next.stderr);
        assert.match(next.stdout, /^runs$/m);
      },
    });
  }));

test("a place that cannot be had is an error, and nothing is left behind", () =>
  inPlace(async (place) => {
    const { stdout } = await place.run(
      `
      import { writeFileSync } from "node:fs";
      import { count } from "atexit";
      import { start } from "atexit/app";
      const dir = process.env.HOME + "/file";
      writeFileSync(dir, "");
      await start("myapp", { dir }).catch(({ code }) => console.log(code, count()));
      await start("myapp", { dir: process.env.HOME, log: dir + "/log", quiet: true }).catch(({ code }) => console.log(code));`,
      { env: environment(place) },
    );
    assert.match(stdout, /^ERR_ATEXIT_STATE_DIRECTORY 0\n(?:EEXIST|ENOTDIR)\n$/);
    assert.ok(!existsSync(join(place.work, "myapp.lock")));
    assert.equal(readFileSync(join(place.work, "file"), "utf8"), "");
  }));
