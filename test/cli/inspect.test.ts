// atexit ps, recover and log.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Replayed } from "../../src/durable/index.ts";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { printed, run } from "../support/run.ts";

/** A program with a recipe whose name would move the cursor, and which stays. */
const PROGRAM = `
  import { writeFileSync } from "node:fs";
  import { exec, remove } from "atexit/durable";
  process.chdir(process.env.WORK);
  writeFileSync("evil\\x1b[2J", "");
  remove("evil\\x1b[2J");
  exec("touch", [process.env.WORK + "/touched"]);
  console.log("ready");
  setInterval(() => {}, 1_000);`;

/** Leaves a dead process's recipes behind, with no guard to carry them out. */
async function leaveBehind(place: Place): Promise<void> {
  await place.run(PROGRAM, {
    env: { ATEXIT_GUARD: "off" },
    act: async (child) => {
      await printed(child, "ready\n");
      child.kill("SIGKILL");
    },
  });
}

test("ps: live processes, and what they would clean up, in that order", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    await place.run(PROGRAM, {
      env: { ATEXIT_GUARD: "off" },
      act: async (child) => {
        await printed(child, "ready\n");
        const { code, stdout, stderr } = await atexit(place, ["ps"]);
        assert.deepEqual([code, stderr], [0, ""]);
        const [first, ...recipes] = stdout.trimEnd().split("\n") as [string, ...string[]];
        assert.match(first, new RegExp(`^ *${child.pid} +\\d+s  .*program\\.mjs`));
        assert.deepEqual(
          recipes.map((line) => line.trim()),
          [`exec touch ${place.work}/touched`, `remove ${place.work}/evil\\u{1b}[2J`],
        );
        const owners = JSON.parse((await atexit(place, ["ps", "--json"])).stdout) as {
          pid: number;
          life: string;
          pending: unknown[];
        }[];
        assert.deepEqual(
          owners.map(({ pid, life, pending }) => [pid, life, pending.length]),
          [[child.pid, "alive", 2]],
        );
        child.kill("SIGTERM");
      },
    });
    assert.equal((await atexit(place, ["ps"])).stdout, "No live process has anything pending.\n");
    await place.recover();
  }));

test("recover: shown by --dry-run, carried out without it, and told by log", () =>
  inPlace(async (place) => {
    assert.equal((await atexit(place, ["recover"])).stdout, "Dead processes have left nothing.\n");
    assert.match((await atexit(place, ["log"])).stdout, /^Nothing was ever carried out/);
    await leaveBehind(place);
    const shown = await atexit(place, ["recover", "--dry-run"]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.deepEqual(shown.stdout.match(/pending/g)?.length, 2);
    assert.ok(existsSync(join(place.work, "evil\x1b[2J")));
    const done = JSON.parse((await atexit(place, ["recover", "--json"])).stdout) as Replayed[];
    assert.deepEqual(
      done.map(({ outcome }) => outcome),
      ["done", "done"],
    );
    assert.ok(!existsSync(join(place.work, "evil\x1b[2J")) && existsSync(join(place.work, "touched")));
    const log = await atexit(place, ["log"]);
    assert.match(
      log.stdout,
      /^20\S+Z  done {8}exec touch .*\n20\S+Z  done {8}remove .*evil\\u\{1b\}\[2J .* for \d+ \(.*program\.mjs/,
    );
    assert.equal((await atexit(place, ["log", "-n", "1"])).stdout.split("\n").length, 2);
  }));

test("recover ends with 1 where something fails, and says why", () =>
  inPlace(async (place) => {
    await place.run(
      `
      import { exec } from "atexit/durable";
      exec("sh", ["-c", "echo the disk is full >&2; exit 4"]);
      process.kill(process.pid, "SIGKILL");`,
      { env: { ATEXIT_GUARD: "off" } },
    );
    const { code, stdout } = await atexit(place, ["recover"]);
    assert.equal(code, 1);
    assert.match(stdout, /failed .*\n.*the disk is full/);
  }));

test("on a terminal, work that takes longer than a second says what it is", () =>
  inPlace(async (place) => {
    await place.run(
      `
      import { exec } from "atexit/durable";
      exec("sleep", ["1.5"]);
      process.kill(process.pid, "SIGKILL");`,
      { env: { ATEXIT_GUARD: "off" } },
    );
    const command = `${process.execPath} ${CLI} recover`;
    const { stdout } = await run("script", ["-qec", command, "/dev/null"], { env: place.environment });
    assert.match(stdout, /\r\x1b\[KCarrying out what dead processes have left … 1 s\r\x1b\[K/);
    assert.match(stdout, /exec sleep 1\.5/);
  }));

test("colours on a terminal, and none by NO_COLOR or elsewhere", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    const onTerminal = (env: NodeJS.ProcessEnv) =>
      run("script", ["-qec", `${process.execPath} ${CLI} recover --dry-run`, "/dev/null"], {
        env: { ...place.environment, FORCE_COLOR: undefined, TERM: "xterm", ...env },
      });
    assert.match((await onTerminal({})).stdout, /\x1b\[36mpending/);
    assert.ok(!(await onTerminal({ NO_COLOR: "1" })).stdout.includes("\x1b["));
    assert.ok(!(await atexit(place, ["recover", "--dry-run"])).stdout.includes("\x1b["));
    await place.recover();
  }));

/** What a file may hold where this package wrote a text: it clears the screen, sets a title, turns letters round. */
const HOSTILE = "x\u001b[2J\u001b]0;t\u0007\u009b31m\u007f\u2028\u202egnp";

/** Characters that control a terminal; a line feed is the command's own. */
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/;

test("log: what a file holds is printed as text, and what is no entry is left out", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    await place.recover();
    const [entry] = place.log() as [Replayed];
    const fields = {
      at: HOSTILE,
      by: "x",
      owner: 5,
      title: null,
      outcome: "constructor",
      why: [HOSTILE],
      took: "long",
    };
    const wrong = [
      ...["null", "5", "[]", '"text"', "{}", "nonsense", "[".repeat(100_000)],
      ...Object.entries(fields).map(([name, value]) => JSON.stringify({ ...entry, [name]: value })),
      JSON.stringify({ ...entry, owner: { pid: 1, program: { toString: 5 }, since: "" } }),
      JSON.stringify(entry).replace('"do"', `"deep":${"[".repeat(50_000)}${"]".repeat(50_000)},"do"`),
    ];
    const owner = { pid: 1, program: HOSTILE, since: "" };
    const right = JSON.stringify({ ...entry, title: HOSTILE, why: HOSTILE, owner });
    writeFileSync(join(place.journals, "log.jsonl"), `${[...wrong, right].join("\n")}\n`);
    const { code, stdout, stderr } = await atexit(place, ["log"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.doesNotMatch(stdout, CONTROLS);
    assert.match(stdout, /^20\S+Z .*x\\u\{1b\}\[2J.*\n {26}x\\u\{1b\}.*\n$/);
    const json = (await atexit(place, ["log", "--json"])).stdout;
    assert.doesNotMatch(json, CONTROLS);
    assert.deepEqual(
      (JSON.parse(json) as Replayed[]).map(({ title, why, owner: of }) => [title, why, of?.program]),
      [[HOSTILE, HOSTILE, HOSTILE]],
    );
    // The next one writes on in it.
    await leaveBehind(place);
    await place.recover();
    assert.equal((JSON.parse((await atexit(place, ["log", "--json"])).stdout) as unknown[]).length, 3);
  }));

test("log: of a long file the end is read, and a pipe in its place is not", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    await place.recover();
    const log = join(place.journals, "log.jsonl");
    const entries = readFileSync(log, "utf8");
    writeFileSync(log, "");
    truncateSync(log, 700 * 1024 * 1024);
    writeFileSync(log, `\n${entries}`, { flag: "a" });
    const args = ["--max-old-space-size=64", CLI, "log"];
    const shown = await run(process.execPath, args, { env: place.environment });
    assert.deepEqual([shown.code, shown.stderr], [0, ""]);
    assert.equal(shown.stdout.trimEnd().split("\n").length, 2);
    rmSync(log);
    execFileSync("mkfifo", [log]);
    assert.match((await atexit(place, ["log"])).stdout, /^Nothing was ever carried out/);
    // A log that cannot be written stops no recovery.
    await leaveBehind(place);
    assert.equal((await atexit(place, ["recover"])).code, 0);
    assert.ok(!existsSync(join(place.work, "evil\x1b[2J")));
  }));

test("ps, recover: the names of programs and what failed are printed as text", () =>
  inPlace(async (place) => {
    const source = `
      import { exec } from "atexit/durable";
      exec("sh", ["-c", "printf 'sa\\\\033[31my' >&2; exit 4"]);
      console.log("ready");
      setInterval(() => {}, 1_000);`;
    const file = "program.mjs";
    await place.run(source, {
      file,
      env: { ATEXIT_GUARD: "off" },
      act: async (child) => {
        await printed(child, "ready\n");
        // The journal's owner has written a name that it would not have by itself.
        const [journal] = place.left() as [string];
        const path = join(place.journals, journal);
        const text = readFileSync(path, "utf8").replace(/"program":"[^"]*"/, `"program":${JSON.stringify(HOSTILE)}`);
        writeFileSync(path, text.replace(/"since":"[^"]*"/, '"since":"long ago"'));
        const { code, stdout } = await atexit(place, ["ps"]);
        assert.equal(code, 0);
        assert.match(stdout, /^ *\d+ +\? {2}x\\u\{1b\}\[2J/);
        assert.doesNotMatch(stdout, CONTROLS);
        assert.doesNotMatch((await atexit(place, ["ps", "--json"])).stdout, CONTROLS);
        child.kill("SIGKILL");
      },
    });
    const { code, stdout } = await atexit(place, ["recover"]);
    assert.equal(code, 1);
    assert.match(stdout, /sa\\u\{1b\}\[31my/);
    assert.doesNotMatch(stdout, CONTROLS);
  }));

test("run: who holds a lock is printed as text, whoever has written the lock file", () =>
  inPlace(async (place) => {
    const lock = join(place.work, "ci.lock");
    const held = `
      import { lockFileSync } from "atexit/resources";
      lockFileSync(process.env.WORK + "/ci.lock", { data: {} });
      console.log("ready");
      setInterval(() => {}, 1_000);`;
    await place.run(held, {
      act: async (child) => {
        await printed(child, "ready\n");
        const record = JSON.parse(readFileSync(lock, "utf8").split("\n", 1)[0] as string) as object;
        for (const [program, host] of [
          [HOSTILE, HOSTILE],
          [{ toString: 5 }, [HOSTILE]],
          ["p".repeat(100_000), "h".repeat(100_000)],
        ]) {
          writeFileSync(lock, `${JSON.stringify({ ...record, program, host })}\n`);
          const { code, stderr } = await atexit(place, ["run", "--lock", lock, "--", "true"]);
          assert.equal(code, 75, stderr);
          assert.match(stderr, new RegExp(`is held by process ${child.pid} (?:on|of user) `));
          assert.doesNotMatch(stderr, CONTROLS);
          assert.ok(stderr.length < 3_000);
        }
        child.kill("SIGTERM");
      },
    });
  }));

test("errors: the names of files and commands are printed as text", () =>
  inPlace(async (place) => {
    for (const args of [
      ["run", "--", HOSTILE],
      ["run", "--rm", `/\u001b[31m/../`, "--", "true"],
      [HOSTILE],
      ["ps", HOSTILE],
    ]) {
      const { code, stderr } = await atexit(place, args);
      assert.notEqual(code, 0);
      assert.doesNotMatch(stderr, CONTROLS);
    }
  }));
