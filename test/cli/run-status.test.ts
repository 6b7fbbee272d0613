// atexit run: its status is that of its command.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isLong } from "../support/long.ts";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace } from "../support/place.ts";
import { statusOf } from "../support/run.ts";

const sh = (script: string) => ["run", "--", "sh", "-c", script];

describe("the exit status is the command's", () => {
  const all = Array.from({ length: 256 }, (_, code) => code);
  // Those that a shell, this command, a signal or an eighth bit could make something of.
  const few = all.filter(
    (code) => code < 4 || code % 32 === 0 || [64, 75, 255].includes(code) || (code >= 124 && code < 146),
  );
  test(isLong ? "all 256 codes" : `${few.length} codes of all kinds`, () =>
    inPlace(async (place) => {
      const codes = isLong ? all : few;
      const wrong: string[] = [];
      const some = async () => {
        for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
          const ended = await atexit(place, sh(`exit ${code}`));
          if (statusOf(ended) !== String(code) || ended.stderr !== "") wrong.push(`${code}: ${statusOf(ended)}`);
        }
      };
      await Promise.all([some(), some(), some()]);
      assert.deepEqual(wrong, []);
    }),
  );

  test("death by each signal that has a name", () =>
    inPlace(async (place) => {
      const ignored = new Set(["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"]);
      const signals = Object.keys(constants.signals).filter((name) => !ignored.has(name));
      const sameNumber = (a: string, b: string) =>
        constants.signals[a as NodeJS.Signals] === constants.signals[b as NodeJS.Signals];
      const wrong: string[] = [];
      const some = async () => {
        for (let signal = signals.pop(); signal !== undefined; signal = signals.pop()) {
          const number = constants.signals[signal as NodeJS.Signals];
          const ended = await atexit(place, sh(`ulimit -c 0; kill -${number} $$`));
          if (!sameNumber(statusOf(ended), signal)) wrong.push(`${signal}: ${statusOf(ended)} ${ended.stderr}`);
        }
      };
      await Promise.all([some(), some()]);
      assert.deepEqual(wrong, []);
    }));

  test("126 where it cannot be executed, 127 where there is none, each with a word", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "file"), "");
      const cannot = await atexit(place, ["run", "--", "./file"]);
      assert.deepEqual([cannot.code, cannot.stderr], [126, "atexit: ./file: it cannot be executed: see its mode\n"]);
      const none = await atexit(place, ["run", "--", "no-such-command"]);
      assert.deepEqual([none.code, none.stderr], [127, "atexit: no-such-command: there is no such command\n"]);
      const below = await atexit(place, ["run", "--", "./file/command"]);
      assert.deepEqual([below.code, below.stderr], [127, "atexit: ./file/command: there is no such command\n"]);
    }));

  test("the command's, in a directory that is gone, and with more arguments than a parser takes", () =>
    inPlace(async (place) => {
      const script = 'cd "$1"; rmdir "$1"; shift; exec "$@"';
      mkdirSync(join(place.work, "gone"));
      const run = [
        process.execPath,
        CLI,
        "run",
        "--rm",
        join(place.work, "none"),
        "--",
        "sh",
        "-c",
        "exit $(($# / 1000))",
      ];
      const many = Array.from({ length: 110_000 }, () => "a");
      const options = { env: place.environment };
      const ended = spawnSync("sh", ["-c", script, "sh", join(place.work, "gone"), ...run, ...many], options);
      assert.equal(ended.status, 109, String(ended.stderr));
    }));
});
