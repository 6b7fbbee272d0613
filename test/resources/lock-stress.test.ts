// Sixteen processes want one lock, and are killed and stopped at random. Never
// do two hold it; each time the next one comes; and nothing is left.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isLong } from "../support/long.ts";
import { inPlace, type Place } from "../support/place.ts";
import { CONTAINER } from "../support/processes.ts";
import { until } from "../support/run.ts";

const PROCESSES = 16;
/** How many are killed; the lock is taken at least as often. */
const ENOUGH = isLong ? 300 : 25;
const contender = fileURLToPath(new URL(`./lock-contender${extname(import.meta.url)}`, import.meta.url));

/** A process that is asked for the lock again and again, in whatever way the arguments say. */
function contend(place: Place, prefix: readonly string[]): ChildProcess {
  const [command = "", ...args] = [...prefix, process.execPath, contender];
  return spawn(command, args, {
    env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work, NODE_TEST_CONTEXT: undefined },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

const turns = (place: Place): number =>
  existsSync(join(place.work, "turns")) ? readFileSync(join(place.work, "turns")).length : 0;

async function stress(place: Place, prefix: readonly string[]): Promise<void> {
  mkdirSync(join(place.work, "locks"));
  const random = (below: number) => Math.floor(Math.random() * below);
  const running = Array.from({ length: PROCESSES }, () => contend(place, prefix));
  const stopped = new Set<ChildProcess>();
  const goOn = (child: ChildProcess) => stopped.delete(child) && child.kill("SIGCONT");
  let kills = 0;
  let turnsAtKill = 0;
  let turnsBefore = 0;
  let checked = performance.now();
  while (kills < ENOUGH) {
    await sleep(random(80));
    const at = random(PROCESSES);
    const child = running[at] as ChildProcess;
    if (random(3) === 0) {
      child.kill("SIGSTOP");
      stopped.add(child);
      setTimeout(goOn, random(400), child);
    } else if (turns(place) > turnsAtKill) {
      // On a busy machine a process may take longer to start than others take to be killed.
      turnsAtKill = turns(place);
      kills += 1;
      child.kill("SIGKILL");
      stopped.delete(child);
      running[at] = contend(place, prefix);
    }
    if (performance.now() - checked > 30_000) {
      checked = performance.now();
      assert.ok(turns(place) > turnsBefore, "somebody got the lock in the last thirty seconds");
      turnsBefore = turns(place);
    }
  }
  stopped.forEach(goOn);
  writeFileSync(join(place.work, "enough"), "");
  assert.deepEqual(new Set(await Promise.all(running.map(endOf))), new Set([0]), "no contender has failed");
}

/** The exit code, or the signal. */
async function endOf(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? child.signalCode;
}

test("sixteen processes, killed and stopped at random, hold a lock one at a time", () =>
  inPlace(async (place) => {
    await stress(place, []);
    await place.quiet();
    await place.recover();
    const violations = join(place.work, "violations");
    assert.equal(existsSync(violations) ? readFileSync(violations, "utf8") : "", "");
    assert.deepEqual(readdirSync(join(place.work, "locks")), []);
    assert.deepEqual(place.left(), []);
  }));

test(
  "two pid namespaces that share the directory: one holder at a time, and a dead one's lock is taken over",
  {
    skip: process.getuid?.() !== 0 && "needs root",
  },
  () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "locks"));
      const elsewhere = ["unshare", ...CONTAINER];
      const children = [...Array(4).keys()].map((n) => contend(place, n % 2 === 0 ? elsewhere : []));
      await until(() => turns(place) > 100);
      // Each of them in the midst of whatever it does.
      for (const child of children.slice(0, 2)) {
        child.kill("SIGKILL");
        const before = turns(place);
        await until(() => turns(place) > before + 20);
      }
      writeFileSync(join(place.work, "enough"), "");
      assert.deepEqual(new Set(await Promise.all(children.slice(2).map(endOf))), new Set([0]));
      await Promise.all(children.map(endOf));
      const violations = join(place.work, "violations");
      assert.equal(existsSync(violations) ? readFileSync(violations, "utf8") : "", "");
      await place.quiet();
      await place.recover();
      assert.deepEqual(readdirSync(join(place.work, "locks")), []);
    }),
);
