// kill() is carried out only on what was registered: in the process when it ends,
// and by the guard when it was killed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace } from "../../support/place.ts";
import { isAlive } from "../../support/processes.ts";
import { linesOf } from "../../support/run.ts";
import { program, SIGKILL } from "./program.ts";

describe("kill", () => {
  /** Starts processes, registers the end of the first, and prints the pids of all. */
  const STUBBORN = 'trap "" TERM; echo $$ >>"$WORK/pids"; while :; do sleep 0.2; done';
  const starts: readonly (readonly [name: string, body: string, count: number])[] = [
    [
      "a process and its descendants",
      `const shell = spawn("/bin/sh", ["-c", 'sleep 300 & echo $! >>"$WORK/pids"; (sleep 300 & echo $! >>"$WORK/pids"; wait) & echo $$ >>"$WORK/pids"; wait'], { stdio: "ignore" });
       shell.unref(); kill(shell);`,
      3,
    ],
    [
      "one that does not listen to SIGTERM, by force",
      `const stubborn = spawn("/bin/sh", ["-c", ${JSON.stringify(STUBBORN)}], { stdio: "ignore" }); stubborn.unref(); kill(stubborn, { grace: 200 });`,
      1,
    ],
    [
      "what has stayed of a process group whose leader has ended",
      `const leader = spawn("/bin/sh", ["-c", 'echo $$ >>"$WORK/pids"; sleep 300 & echo $! >>"$WORK/pids"; read _; exit 0'], { stdio: ["pipe", "ignore", "ignore"], detached: true });
       kill(leader); leader.stdin.end(); await once(leader, "exit");`,
      2,
    ],
    [
      "one that has ended",
      'const short = spawn("true"); kill(short); await once(short, "exit"); fs.writeFileSync(at("pids"), "");',
      0,
    ],
    [
      "a pid",
      `const other = spawn("sleep", ["300"], { stdio: "ignore" }); other.unref(); fs.writeFileSync(at("pids"), other.pid + "\\n"); kill(other.pid, { signal: "SIGINT" });`,
      1,
    ],
  ];
  const wait = (count: number) =>
    `while (!fs.existsSync(at("pids")) || fs.readFileSync(at("pids"), "utf8").split("\\n").length <= ${count}) await new Promise((resolve) => setTimeout(resolve, 5));`;
  const imports = 'import { spawn } from "node:child_process"; import { once } from "node:events";';
  for (const [name, body, count] of starts) {
    for (const [how, end] of [
      ["in the process", ""],
      ["by the guard", SIGKILL],
    ] as const) {
      test(`${name}: ${how}`, () =>
        inPlace(async (place) => {
          const { stderr } = await place.run(program(`${imports}\n${body}\n${wait(count)}`, end));
          await place.quiet();
          const pids = linesOf(join(place.work, "pids")).map(Number);
          assert.equal(pids.length, count);
          assert.deepEqual(pids.filter(isAlive), [], stderr);
          assert.equal(stderr, "");
        }));
    }
  }

  test("a process that has got the same pid since is left alone", () =>
    inPlace(async (place) => {
      const other = spawn("sleep", ["300"], { stdio: "ignore" });
      const ended = new Promise((resolve) => other.once("close", resolve));
      try {
        await place.run(program(`kill(${other.pid});`, SIGKILL), { env: { ATEXIT_GUARD: "off" } });
        const [name] = place.left() as [string];
        const journal = join(place.journals, name);
        // As if the one that was registered had started a moment earlier.
        const text = readFileSync(journal, "utf8").replace(
          /("do":"kill","pid":\d+,"start":")(\d+)"/,
          (_, before, start) => `${before}${Number(start) - 1}"`,
        );
        writeFileSync(journal, text);
        const [row] = await place.recover();
        assert.equal(row?.outcome, "gone");
        assert.ok(isAlive(other.pid as number));
      } finally {
        other.kill("SIGKILL");
        await ended;
      }
    }));
});
