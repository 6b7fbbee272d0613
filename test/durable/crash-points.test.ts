// A kill can fall anywhere: at each change that a program, or a replay, makes to
// its journal. After recovery nothing is left, and nothing was done but what
// was registered.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { nodes } from "../support/nodes.js";
import { linesOf, printed } from "../support/run.js";
import { inPlace, type Place, until } from "./support.js";

const PRELOAD = import.meta.resolve("./kill-at.js");
const NO_GUARD = { ATEXIT_GUARD: "off" };
const node = (nodes.at(-1) as { path: string }).path; // the newest starts fastest

/** Everything that happens to a journal: it begins, grows, is made shorter, becomes empty, begins again. */
const PROGRAM = `
  import fs from "node:fs";
  import { exec, remove } from "atexit/durable";
  const { WORK } = process.env;
  // Registered before it is made: at no moment is there one that nobody would remove.
  const make = (name) => {
    const registration = remove(WORK + "/" + name);
    fs.mkdirSync(WORK + "/" + name);
    fs.copyFileSync(process.argv[1], WORK + "/" + name + "/file");
    return registration;
  };
  make("first").run();
  make("second");
  const kept = make("kept");
  kept.cancel();
  fs.mkdirSync(WORK + "/kept was cancelled");
  const long = "x".repeat(40_000);
  for (let times = 0; times < 3; times += 1) exec("true", [long]).cancel(); // and the journal is made shorter
  make("third").run();
  make("fourth");
`;

/** How many points the program has at which it can be killed. */
async function pointsOf(place: Place, source: string, env: Record<string, string> = {}): Promise<number> {
  const count = join(place.work, "count");
  const ended = await place.run(source, { node, nodeOptions: ["--import", PRELOAD], env: { COUNT: count, ...env } });
  assert.equal(ended.code, 0, ended.stderr);
  return Number(readFileSync(count, "utf8"));
}

function assertNothingLeft(place: Place, context: string): void {
  const left = readdirSync(place.work);
  const made = left.filter((name) => ["first", "second", "third", "fourth"].includes(name));
  assert.deepEqual(made, [], `nothing is left (${context})`);
  if (left.includes("kept was cancelled")) assert.ok(left.includes("kept"), `what was cancelled is kept (${context})`);
  assert.deepEqual(place.left(), [], `no journal is left (${context})`);
}

/** So many at a time. */
async function each(points: number, body: (point: number) => Promise<void>): Promise<void> {
  const queue = Array.from({ length: points }, (_, at) => at + 1);
  const work = async () => {
    for (let point = queue.shift(); point !== undefined; point = queue.shift()) await body(point);
  };
  await Promise.all([work(), work(), work()]);
}

describe("a program that is killed at each change of its journal leaves nothing behind", () => {
  for (const [name, how, env] of [
    ["with its guard", "before", {}],
    ["without one", "before", NO_GUARD],
    ["without one, and half of the change was made", "torn", NO_GUARD],
  ] as const) {
    test(name, async () => {
      const points = await inPlace((place) => pointsOf(place, PROGRAM, env));
      assert.ok(points > 30, `there are ${points} points`);
      await each(points, (point) =>
        inPlace(async (place) => {
          const context = `killed at ${point} of ${points}`;
          const { signal } = await place.run(PROGRAM, {
            node,
            nodeOptions: ["--import", PRELOAD],
            env: { KILL_AT: String(point), KILL: how, ...env },
          });
          assert.equal(signal, "SIGKILL", context);
          await place.quiet();
          await place.recover({ node });
          assertNothingLeft(place, context);
        }),
      );
    });
  }
});

describe("a program and its guard that are killed within moments of each other leave nothing that a start does not find", () => {
  /** Makes and removes things until it is killed. */
  const source = `
    import fs from "node:fs";
    import { setImmediate } from "node:timers/promises";
    import { remove } from "atexit/durable";
    const { WORK } = process.env;
    process.stdout.write("ready\\n");
    for (let n = 0; ; n = (n + 1) % 4) {
      const name = ["first", "second", "third", "fourth"][n];
      const registration = remove(WORK + "/" + name);
      fs.mkdirSync(WORK + "/" + name);
      fs.copyFileSync(process.argv[1], WORK + "/" + name + "/file");
      await setImmediate();
      registration.run();
    }`;
  // Where in its life a kill falls is left to the moment: many, spread over a guard's start and a replay.
  const MOMENTS = 40;
  const STEP = 2;
  for (const [name, before, between] of [
    ["the guard first, then its owner", STEP, 0],
    ["the owner first, then its guard", 0, STEP],
  ] as const) {
    test(name, async () => {
      await each(MOMENTS, (moment) =>
        inPlace(async (place) => {
          const context = `moment ${moment}`;
          await place.run(source, {
            node,
            async act(child) {
              await printed(child, "ready\n");
              await until(() => place.guards().length > 0);
              await sleep(before * moment);
              const guards = place.guards();
              const killGuards = () => guards.forEach(killed);
              if (before > 0) killGuards();
              child.kill("SIGKILL");
              if (between > 0) {
                await sleep(between * moment);
                guards.push(...place.guards());
                killGuards();
              }
            },
          });
          await place.quiet();
          await place.recover({ node });
          assertNothingLeft(place, context);
        }),
      );
    });
  }
});

/** A guard, or its replay, is over; it may have ended by itself just now. */
function killed(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

test("a replay that is killed at each of its changes is itself replayed", async () => {
  await inPlace(async (dead) => {
    const source = `
      import fs from "node:fs";
      import { exec, remove } from "atexit/durable";
      const { WORK } = process.env;
      for (const name of ["first", "second"]) {
        remove(WORK + "/" + name);
        fs.mkdirSync(WORK + "/" + name);
        fs.writeFileSync(WORK + "/" + name + "/file", "");
        exec("/bin/sh", ["-c", 'echo "$1" >>"$2"', "sh", name, WORK + "/trace"]);
      }
      setInterval(() => {}, 1_000);
      process.stdout.write("ready\\n");`;
    const replay = 'import { recover } from "atexit/durable"; await recover();';
    /** What a killed process has left, as it was. */
    const leaveBehind = async (place: Place) => {
      await place.run(source, {
        node,
        env: NO_GUARD,
        async act(child) {
          await printed(child, "ready\n");
          child.kill("SIGKILL");
        },
      });
    };
    await leaveBehind(dead);
    const points = await pointsOf(dead, replay);
    assert.ok(points > 15, `there are ${points} points`);
    for (const how of ["before", "torn"]) {
      await each(points, (point) =>
        inPlace(async (place) => {
          const context = `killed at ${point} of ${points}, ${how}`;
          await leaveBehind(place);
          const precious = join(place.work, "precious");
          mkdirSync(precious);
          writeFileSync(join(precious, "file"), "");
          await place.run(replay, {
            node,
            nodeOptions: ["--import", PRELOAD],
            env: { KILL_AT: String(point), KILL: how },
          });
          await place.recover({ node });
          assert.deepEqual([...new Set(linesOf(join(place.work, "trace")))], ["second", "first"], context);
          assertNothingLeft(place, context);
          assert.ok(existsSync(join(precious, "file")), context);
        }),
      );
    }
  });
});
