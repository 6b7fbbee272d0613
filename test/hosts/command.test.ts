// The command `atexit`, as Bun and Deno start it: `bunx` in Node, `bunx --bun` and
// `deno run` in themselves.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../support/place.ts";
import { isAlive } from "../support/processes.ts";
import { type Ended, printed, run, type RunOptions, statusOf, until } from "../support/run.ts";
import { bun, deno, makeProject } from "./hosts.ts";

const project = makeProject();
writeFileSync(join(project, "package.json"), `{ "private": true, "dependencies": { "atexit": "*" } }`);
const programs = join(project, "node_modules/.bin");
mkdirSync(programs);
symlinkSync("../atexit/dist/cli.cjs", join(programs, "atexit"));
chmodSync(join(programs, "atexit"), 0o755);

const COMMANDS = {
  bunx: [bun, "x", "atexit"],
  "bunx --bun": [bun, "x", "--bun", "atexit"],
  "deno run -A npm:atexit": [deno, "run", "-A", "npm:atexit"],
} as const;

for (const [name, [program, ...start]] of Object.entries(COMMANDS)) {
  const atexit = (place: Place, args: readonly string[], options: RunOptions = {}): Promise<Ended> => {
    const env = { ...place.environment, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    return run(program, [...start, ...args], { cwd: project, env, ...options });
  };

  /** `atexit run`, with a file that is removed at its end; the shell's script is given its path. */
  const runs = async (script: string, act?: (child: ChildProcess, place: Place) => Promise<void>): Promise<Ended> =>
    inPlace(async (place) => {
      const file = join(place.work, "file");
      const args = ["run", "--rm", file, "--", "sh", "-c", `: >"$1"; ${script}`, "sh", file];
      const ended = await atexit(place, args, act === undefined ? {} : { act: (child) => act(child, place) });
      await place.quiet();
      assert.equal(existsSync(file), false, ended.stderr);
      return ended;
    });

  describe(name, () => {
    test("run: the status is the command's", async () => {
      const ended = await runs("echo out; exit 5");
      assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["out\n", "", "5"]);
    });

    test("run: signals are handed on, and a command that ends by itself then has its own status", async () => {
      const script = `trap "exit 7" TERM; echo "$PPID"; while :; do sleep 0.05; done`;
      const ended = await runs(script, async (child) => {
        const [own = 0] = await numbersFrom(child);
        process.kill(own, "SIGTERM");
      });
      assert.deepEqual([ended.stderr, statusOf(ended)], ["", "7"]);
    });

    test("run: death of the command by a signal", async () => {
      const ended = await runs("kill -TERM $$");
      assert.match(statusOf(ended), /^(?:SIGTERM|143)$/);
    });

    test("run: after a SIGKILL what was asked for is undone, and the command is ended", async () => {
      let command = 0;
      await runs(`echo "$PPID $$"; while :; do sleep 0.05; done`, async (child, place) => {
        const [own = 0, started = 0] = await numbersFrom(child);
        command = started;
        // The command may be faster than the line that says how it is ended.
        await until(() => place.left().some((name) => textOf(place, name).includes('"do":"kill"')));
        process.kill(own, "SIGKILL");
      });
      await until(() => !isAlive(command));
    });

    test("doctor: the guard carries out what is left", () =>
      inPlace(async (place) => {
        const { stdout, stderr } = await atexit(place, ["doctor"]);
        assert.match(stdout, /^ok +guard: carries out within \d+ ms of SIGKILL$/m, stderr);
        assert.doesNotMatch(stdout, /^problem/m);
      }));
  });
}

function textOf({ journals }: Place, name: string): string {
  return readFileSync(join(journals, name), "utf8");
}

/** Returns the numbers in what a process prints first. */
async function numbersFrom(child: ChildProcess): Promise<number[]> {
  let seen = "";
  child.stdout?.on("data", (chunk) => (seen += String(chunk)));
  await printed(child, "\n");
  return seen.trim().split(" ").map(Number);
}
