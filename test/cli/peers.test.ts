// The same beside tini, dumb-init, flock(1) and a shell's trap: the rows that
// each of them loses, seen with the real programs.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { provideInits } from "../support/inits.ts";
import { CLI } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { isAlive } from "../support/processes.ts";
import { linesOf, printed, run, statusOf, until } from "../support/run.ts";

const inits = provideInits();
const without = "missing" in inits && inits.missing;
const init = (name: string) => ("missing" in inits ? name : join(inits.directory, name));

const OURS = [process.execPath, CLI, "run"];

/** A command that makes a file, leaves a process in another session, and then does this. */
const script = (then: string) => `
  touch "$WORK/made"
  sh -c 'setsid sh -c "echo \\$\\$ >\\"$WORK/pid\\"; exec sleep 1000" &'
  while ! test -s "$WORK/pid"; do sleep 0.02; done
  echo $$ >"$WORK/command"
  echo ready
  ${then}`;

const runners: Record<string, (place: Place) => readonly string[]> = {
  atexit: ({ work }) => [...OURS, "--rm", join(work, "made"), "--lock", join(work, "lock"), "--", "sh", "-c"],
  tini: () => [init("tini"), "-s", "-g", "--", "sh", "-c"],
  "dumb-init": () => [init("dumb-init"), "sh", "-c"],
  flock: ({ work }) => ["flock", join(work, "lock"), "sh", "-c"],
  trap: () => ["sh", "-c", `trap 'rm -f "$WORK/made"' EXIT; sh -c "$1"`, "sh"],
};

interface Left {
  readonly status: string;
  /** The file that was to be removed. */
  readonly made: boolean;
  /** The descendant in a session of its own. */
  readonly descendant: boolean;
  readonly lock: boolean;
}

/** What is left when it has ended, and all that it set going has had its time. */
async function leftBy(place: Place, runner: string, then: string, signal?: NodeJS.Signals): Promise<Left> {
  const [command, ...args] = [...(runners[runner] as (place: Place) => readonly string[])(place), script(then)];
  const ended = await run(command, args, {
    env: place.environment,
    stdio: ["ignore", "pipe", "ignore"],
    detached: true, // what it leaves behind holds its output open, and is ended with its group
    act: async (child) => {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      await printed(child, "ready\n");
      if (signal !== undefined) child.kill(signal);
      await exited;
      child.stdout?.destroy();
    },
  });
  await place.quiet();
  const [pid] = linesOf(join(place.work, "pid")).map(Number) as [number];
  const left = {
    status: statusOf(ended),
    made: existsSync(join(place.work, "made")),
    descendant: isAlive(pid),
    lock: existsSync(join(place.work, "lock")),
  };
  for (const stray of [pid, ...linesOf(join(place.work, "command")).map(Number)].filter(isAlive)) {
    process.kill(stray, "SIGKILL");
    await until(() => !isAlive(stray));
  }
  return left;
}

const clean = { made: false, descendant: false, lock: false };

describe("beside other runners", { skip: without }, () => {
  for (const [name, then, signal, status] of [
    ["the command ends with 3", "exit 3", undefined, "3"],
    ["the command dies of SIGKILL", "kill -KILL $$", undefined, "SIGKILL"],
    ["the runner gets SIGTERM", "exec sleep 1000", "SIGTERM", "SIGTERM"],
    ["the runner gets SIGKILL", "exec sleep 1000", "SIGKILL", "SIGKILL"],
  ] as const) {
    test(`${name}: atexit leaves nothing, and the status is the command's`, () =>
      inPlace(async (place) => {
        assert.deepEqual(await leftBy(place, "atexit", then, signal), { status, ...clean });
      }));
  }

  for (const [runner, what, then, signal, loses] of [
    ["tini", "leaves a process in another session", "exit 3", undefined, { descendant: true }],
    ["tini", "ends with 128 + 9 where its command died", "kill -KILL $$", undefined, { status: "137" }],
    ["tini", "leaves everything when it is killed", "exec sleep 1000", "SIGKILL", { descendant: true, made: true }],
    ["dumb-init", "leaves a process in another session", "exit 3", undefined, { descendant: true }],
    [
      "dumb-init",
      "leaves everything when it is killed",
      "exec sleep 1000",
      "SIGKILL",
      { descendant: true, made: true },
    ],
    [
      "flock",
      "leaves its file, and the processes of its command",
      "exit 3",
      undefined,
      { descendant: true, lock: true },
    ],
    ["trap", "leaves a process in another session", "exit 3", undefined, { descendant: true, made: false }],
    [
      "trap",
      "leaves everything when the shell is killed",
      "exec sleep 1000",
      "SIGKILL",
      { descendant: true, made: true },
    ],
    [
      "trap",
      "waits for the command when it gets SIGTERM, which it does not pass on",
      "sleep 0.5; exit 0",
      "SIGTERM",
      { descendant: true },
    ],
  ] as const) {
    test(`${runner} ${what}`, () =>
      inPlace(async (place) => {
        const left: Record<string, unknown> = { ...(await leftBy(place, runner, then, signal)) };
        for (const [key, value] of Object.entries(loses)) assert.equal(left[key], value, JSON.stringify(left));
      }));
  }

  test("as PID 1: signals are handed on, and the status is 128 + the signal's number, as tini has it", () =>
    inPlace(async (place) => {
      for (const [runner, expected] of [
        [OURS, "143"],
        [[init("tini")], "143"],
      ] as const) {
        const ended = await run(
          "unshare",
          [
            "--pid",
            "--fork",
            "--mount-proc",
            ...runner,
            "--",
            "sh",
            "-c",
            "trap 'echo told; trap - TERM; kill -TERM $$' TERM; echo ready; while :; do sleep 0.02; done",
          ],
          {
            env: place.environment,
            act: async (child) => {
              await printed(child, "ready\n");
              // unshare ignores it; its child is the namespace's first process.
              const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim());
              process.kill(pid, "SIGTERM");
            },
          },
        );
        assert.deepEqual([ended.stdout, statusOf(ended)], ["ready\ntold\n", expected], ended.stderr);
      }
    }));
});
