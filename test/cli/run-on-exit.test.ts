// atexit run --on-exit: one command, begun once, for all the time that there is, in sight.

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { begun, hasEnded, letGo, replayBegun, runsIn, UNTIL_GO } from "../support/begun.ts";
import { atexit, inPlace } from "../support/place.ts";
import { statusOf, until } from "../support/run.ts";

/** Ways in which atexit ends before its command at exit does. */
const ends: Record<string, readonly [grace: string, status: string, end?: NodeJS.Signals]> = {
  "at the end of the grace period": ["1000", "1"],
  "by SIGTERM, sent again": ["30000", "SIGTERM", "SIGTERM"],
  "by SIGKILL": ["30000", "SIGKILL", "SIGKILL"],
};

describe("a command that outlives atexit is waited for, and not begun again", { concurrency: 2 }, () => {
  for (const [how, [grace, status, signal]] of Object.entries(ends)) {
    test(how, () =>
      inPlace(async (place) => {
        const ended = await atexit(place, ["run", "--on-exit", `sh -c '${UNTIL_GO}'`, "--", "true"], {
          env: { ...place.environment, ATEXIT_GRACE: grace },
          act: async (child) => {
            await begun(place);
            // A signal that comes soon after another may be the same, doubled by somebody: so it is sent until it helps.
            if (signal === undefined) await hasEnded(child);
            else await until(() => !child.kill(signal) || child.signalCode !== null);
            await replayBegun(place);
            letGo(place);
          },
        });
        await place.quiet();
        assert.equal(statusOf(ended), status, ended.stderr);
        assert.deepEqual(runsIn(place), ["start", "end"]);
        assert.deepEqual(place.left(), []);
        const [entry] = place.log().filter(({ title }) => title.startsWith("exec sh"));
        assert.equal(entry?.outcome, "done");
      }),
    );
  }
});

test("it has the whole rest of the grace period, and those that wait for it are called all the same", () =>
  inPlace(async (place) => {
    const made = join(place.work, "made");
    writeFileSync(made, "");
    const ended = await atexit(place, ["run", "--rm", made, "--on-exit", `sh -c '${UNTIL_GO}'`, "--", "true"], {
      env: { ...place.environment, ATEXIT_GRACE: "2000" },
      act: async (child) => {
        await hasEnded(child);
        // The guard would come to it after the command.
        assert.ok(!existsSync(made));
        letGo(place);
      },
    });
    await place.quiet();
    const [, duration] =
      /"--on-exit sh -c .*" has not settled and was given up after (\d+) ms/.exec(ended.stderr) ?? [];
    assert.ok(Number(duration) > 1_500, ended.stderr);
  }));

test("its output is seen, on both streams", () =>
  inPlace(async (place) => {
    const ended = await atexit(place, ["run", "--on-exit", "sh -c 'echo out; echo err >&2'", "--", "true"]);
    assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, "out\n", "err\n"]);
  }));

test("one that fails is told once, by its option, and not run again", () =>
  inPlace(async (place) => {
    const ended = await atexit(place, ["run", "--on-exit", `sh -c 'echo start >>"$WORK/runs"; exit 3'`, "--", "true"]);
    await place.quiet();
    assert.equal(ended.code, 1);
    assert.equal(ended.stderr.match(/ended with status 3/g)?.length, 1, ended.stderr);
    assert.match(ended.stderr, /^atexit: cleanup "--on-exit sh -c .*" failed: .*Error.* ended with status 3/);
    assert.deepEqual(runsIn(place), ["start"]);
    assert.deepEqual(place.left(), []);
  }));
