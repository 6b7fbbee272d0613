// atexit run: what is clean after each end.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { isAlive } from "../support/processes.ts";
import { linesOf, printed, statusOf, until } from "../support/run.ts";

/** Everything that can be asked for, and a command with a family. */
const everything = (place: Place, script: string) => [
  "run",
  ...[
    "--on-exit",
    `sh -c 'echo first >>"$WORK/order"; ls "$WORK/scratch" "$WORK/lock" 2>/dev/null | wc -l >>"$WORK/order"'`,
  ],
  ...["--lock", join(place.work, "lock")],
  ...["--rm", join(place.work, "scratch")],
  ...["--temp-dir", "PRIVATE"],
  ...["--on-exit", `sh -c 'echo last >>"$WORK/order"; ls "$WORK/scratch" >>"$WORK/order"'`],
  ...["--grace", "2s"],
  "--",
  "sh",
  "-c",
  `mkdir "$WORK/scratch"; touch "$WORK/scratch/file"; echo "$PRIVATE" >"$WORK/private"
   sh -c 'echo $$ >>"$WORK/pids"; exec sleep 1000' &
   sh -c 'setsid sh -c "echo \\$\\$ >>\\"$WORK/pids\\"; exec sleep 1000" &'
   echo $$ >>"$WORK/pids"
   while [ "$(wc -l <"$WORK/pids")" -lt 3 ]; do sleep 0.02; done
   test -d "$PRIVATE" && test -e "$WORK/lock" && echo ready
   ${script}`,
];

const ends: Record<string, readonly [script: string, status: string, act?: NodeJS.Signals]> = {
  "the command's end": ["exit 3", "3"],
  "the command's death": ["kill -KILL $$", "SIGKILL"],
  "SIGTERM to atexit": ["echo go; exec sleep 1000", "SIGTERM", "SIGTERM"],
  "SIGINT to atexit": ["echo go; exec sleep 1000", "SIGINT", "SIGINT"],
  "SIGTERM, which the command ignores": ["trap '' TERM; echo go; while :; do sleep 1; done", "SIGKILL", "SIGTERM"],
  "SIGKILL to atexit": ["echo go; exec sleep 1000", "SIGKILL", "SIGKILL"],
};

describe("what is clean afterwards", { concurrency: 2 }, () => {
  for (const [name, [script, status, signal]] of Object.entries(ends)) {
    test(`${name}: descendants, then the options in reverse`, () =>
      inPlace(async (place) => {
        const ended = await atexit(place, everything(place, script), {
          act: async (child) => {
            if (signal === undefined) return;
            await printed(child, "ready\ngo\n");
            child.kill(signal);
          },
        });
        assert.equal(statusOf(ended), status, ended.stderr);
        await place.quiet(); // the guard, where it was its turn
        const pids = linesOf(join(place.work, "pids")).map(Number);
        assert.equal(pids.length, 3);
        assert.deepEqual(pids.filter(isAlive), []);
        for (const path of ["scratch", "lock"].map((name) => join(place.work, name)))
          assert.ok(!existsSync(path), path);
        assert.ok(!existsSync(linesOf(join(place.work, "private"))[0] as string));
        // The last option first, while what the others made is there; the first one last, still under the lock.
        assert.deepEqual(linesOf(join(place.work, "order")), ["last", "file", "first", "1"]);
        assert.deepEqual(place.left(), []);
      }));
  }
});

test("a lock that is held: 75, with who and what to do; --wait waits for it", () =>
  inPlace(async (place) => {
    const lock = join(place.work, "lock");
    const first = await atexit(place, ["run", "--lock", lock, "--", "sh", "-c", "echo ready; read line"], {
      stdio: ["pipe", "pipe", "pipe"],
      act: async (child) => {
        await printed(child, "ready\n");
        writeFileSync(join(place.work, "its"), "");
        const others = ["--rm", join(place.work, "its"), "--on-exit", `touch ${join(place.work, "ran")}`];
        const second = await atexit(place, ["run", ...others, "--lock", lock, "--", "touch", join(place.work, "ran")]);
        assert.equal(second.code, 75);
        assert.match(second.stderr, new RegExp(`^atexit: ${lock} is held by process ${child.pid} .*--wait 30s\\.\n$`));
        assert.ok(!existsSync(join(place.work, "ran")));
        assert.ok(existsSync(join(place.work, "its")), "what belongs to the holder stays");
        const waiting = atexit(place, ["run", "--lock", lock, "--wait", "60s", "--", "touch", join(place.work, "ran")]);
        // It waits when it has a file of its own beside the lock, as the holder has.
        await until(() => readdirSync(place.work).filter((name) => name.startsWith("lock.")).length === 2);
        child.stdin?.end();
        assert.equal((await waiting).code, 0);
        assert.ok(existsSync(join(place.work, "ran")));
      },
    });
    assert.equal(first.code, 1, "read saw the end of its input");
  }));

test("--end-with-parent: it ends when whoever started it was killed", () =>
  inPlace(async (place) => {
    const script = `echo $$ >"$WORK/pid"; exec sleep 1000`;
    const parent = spawn(
      process.execPath,
      [
        "-e",
        `require("child_process").spawn(process.execPath, ${JSON.stringify([CLI, "run", "--end-with-parent", "--rm", join(place.work, "made"), "--", "sh", "-c", `touch "$WORK/made"; ${script}`])}, { stdio: "ignore" }); setInterval(() => {}, 1000)`,
      ],
      { env: place.environment, stdio: "ignore" },
    );
    await until(() => linesOf(join(place.work, "pid")).length === 1);
    const pid = Number(linesOf(join(place.work, "pid"))[0]);
    parent.kill("SIGKILL");
    await until(() => !isAlive(pid) && !existsSync(join(place.work, "made")));
  }));

test("a cleanup that fails is told, and turns success into failure", () =>
  inPlace(async (place) => {
    const ended = await atexit(place, ["run", "--on-exit", "sh -c 'echo seen; exit 3'", "--", "true"]);
    assert.deepEqual([ended.code, ended.stdout], [1, "seen\n"]);
    assert.match(ended.stderr, /sh -c .* ended with status 3/);
  }));
