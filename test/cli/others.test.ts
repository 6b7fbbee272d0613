// atexit ps, recover, log, doctor, tour, completion, --help, --version.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Replayed } from "atexit/durable";
import { inPlace, type Place } from "../durable/support.js";
import { printed, run } from "../support/run.js";
import { atexit, CLI, environmentOf } from "./support.js";

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

test("doctor: tries what there is, and says what to do where something is not covered", () =>
  inPlace(async (place) => {
    const healthy = await atexit(place, ["doctor"]);
    assert.equal(healthy.code, 0, healthy.stdout);
    assert.match(healthy.stdout, /^ok {7}guard: carries out within \d+ ms of SIGKILL$/m);
    assert.match(healthy.stdout, new RegExp(`^ok {7}journal directory: ${place.journals}, mode 0700$`, "m"));
    chmodSync(place.journals, 0o755);
    const loose = await atexit(place, ["doctor"]);
    chmodSync(place.journals, 0o700);
    assert.equal(loose.code, 1);
    assert.match(loose.stdout, /^problem {2}journal directory: .*\n +→ Set ATEXIT_DIR/m);
    const empty = join(place.work, "empty");
    mkdirSync(empty);
    const env = { ...environmentOf(place), PATH: empty, ATEXIT_GUARD: "off", TERMINATION_GRACE_PERIOD_SECONDS: "5" };
    const poor = JSON.parse((await atexit(place, ["doctor", "--json"], { env })).stdout) as Record<
      string,
      { is: string }
    >;
    assert.deepEqual([poor["kernel locks"]?.is, poor["guard"]?.is, poor["shell"]?.is], ["note", "note", "ok"]);
  }));

test("tour: ends real processes, beside what is installed", () =>
  inPlace(async (place) => {
    const { code, stdout, stderr } = await atexit(place, ["tour", "process.exit twice"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /✓ atexit sync +cleaned: second, then first; status 3 \(bare Node: 3\)/);
    assert.match(stdout, /signal-exit/);
  }));

test("--version, and help for all and for each, on stdout", () =>
  inPlace(async (place) => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    assert.equal((await atexit(place, ["--version"])).stdout, `${version}\n`);
    const all = await atexit(place, ["--help"]);
    for (const [, name] of all.stdout.matchAll(/^ {2}atexit ([a-z]+) /gm)) {
      const { code, stdout, stderr } = await atexit(place, [name as string, "--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.ok(stdout.startsWith(`atexit ${name}`), stdout);
      assert.ok(stdout.split("\n").every((line) => line.length <= 88));
    }
    assert.match((await atexit(place, ["run", "--", "sh", "-c", "echo $0", "--help"])).stdout, /^--help$/m);
    assert.equal((await atexit(place, [])).code, 2);
  }));

test("completions offer the commands and their options", () =>
  inPlace(async (place) => {
    const bash = join(place.work, "bash");
    writeFileSync(bash, (await atexit(place, ["completion", "bash"])).stdout);
    const offered = (words: string, at: number) =>
      spawnSync(
        "bash",
        ["-c", `source ${bash}; COMP_WORDS=(${words}); COMP_CWORD=${at}; _atexit; echo "\${COMPREPLY[@]}"`],
        { encoding: "utf8" },
      ).stdout.trim();
    assert.equal(offered("atexit re", 1), "recover report");
    assert.equal(offered("atexit run --te", 2), "--temp-dir");
    for (const shell of ["zsh", "fish"]) {
      assert.match((await atexit(place, ["completion", shell])).stdout, /on-exit/);
    }
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
    const { stdout } = await run("script", ["-qec", command, "/dev/null"], { env: environmentOf(place) });
    assert.match(stdout, /\r\x1b\[KCarrying out what dead processes have left … 1 s\r\x1b\[K/);
    assert.match(stdout, /exec sleep 1\.5/);
  }));

test("colours on a terminal, and none by NO_COLOR or elsewhere", () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    const onTerminal = (env: NodeJS.ProcessEnv) =>
      run("script", ["-qec", `${process.execPath} ${CLI} recover --dry-run`, "/dev/null"], {
        env: { ...environmentOf(place), FORCE_COLOR: undefined, TERM: "xterm", ...env },
      });
    assert.match((await onTerminal({})).stdout, /\x1b\[36mpending/);
    assert.ok(!(await onTerminal({ NO_COLOR: "1" })).stdout.includes("\x1b["));
    assert.ok(!(await atexit(place, ["recover", "--dry-run"])).stdout.includes("\x1b["));
    await place.recover();
  }));
