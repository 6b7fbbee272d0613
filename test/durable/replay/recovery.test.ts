// What happens when the guard dies too: it is replaced while its owner lives,
// and after that the next start finishes the job; never that of a live owner.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { urlOf } from "../../support/package-under-test.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { childrenOf, commandOf } from "../../support/processes.ts";
import { linesOf, printed, until } from "../../support/run.ts";

/** Registers the removal of a directory and two commands that leave a trace, and says that it is ready. */
const WITH_RECIPES = `
  import { exec, remove } from "atexit/durable";
  import { mkdirSync } from "node:fs";
  const { WORK } = process.env;
  mkdirSync(WORK + "/scratch");
  remove(WORK + "/scratch");
  for (const name of ["first", "second"]) exec("/bin/sh", ["-c", 'echo "$1" >>"$2"', "sh", name, WORK + "/trace"]);
  setInterval(() => {}, 1_000);
  process.stdout.write("ready\\n");
`;

const NO_GUARD = { ATEXIT_GUARD: "off" };
const KILL = 'process.kill(process.pid, "SIGKILL");';

/**
 * Runs the program above, which kills itself, with no guard. It does so at once:
 * a start recovers what others have left, and must not be cut off in that.
 */
async function leaveBehind(place: Place, source = WITH_RECIPES): Promise<void> {
  const killed = source.replace(/setInterval\(\(\) => \{\}, 1_000\);\s*process\.stdout\.write.*/, KILL);
  const { signal } = await place.run(killed, { env: NO_GUARD });
  assert.equal(signal, "SIGKILL");
}

async function killWhenReady(child: ChildProcess): Promise<void> {
  await printed(child, "ready\n");
  child.kill("SIGKILL");
}

function assertDone(place: Place): void {
  assert.deepEqual(linesOf(join(place.work, "trace")), ["second", "first"], "both commands ran, last in, first out");
  assert.equal(existsSync(join(place.work, "scratch")), false, "the directory is gone");
  assert.deepEqual(place.left(), [], "no journal is left");
}

function assertNothingDone(place: Place): void {
  assert.deepEqual(linesOf(join(place.work, "trace")), []);
  assert.equal(existsSync(join(place.work, "scratch")), true);
}

describe("where the guard died too", () => {
  test("recover() carries out what a dead process has left, and says what it did", () =>
    inPlace(async (place) => {
      await leaveBehind(place);
      assertNothingDone(place);
      const shown = await place.recover({ dryRun: true });
      assert.deepEqual(
        shown.map(({ outcome }) => outcome),
        ["pending", "pending", "pending"],
      );
      assertNothingDone(place);
      const done = await place.recover();
      assert.deepEqual(
        done.map(({ title, outcome }) => `${outcome}: ${title.split(" ")[0]}`),
        ["done: exec", "done: exec", "done: remove"],
      );
      assertDone(place);
      assert.deepEqual(place.log(), done, "the log says the same");
      assert.deepEqual(await place.recover(), [], "it is done once");
    }));

  test("the first recipe of any program begins a recovery in the background", () =>
    inPlace(async (place) => {
      await leaveBehind(place);
      const another = `
          import { remove } from "atexit/durable";
          import { writeFileSync } from "node:fs";
          writeFileSync(process.env.WORK + "/other", "");
          remove(process.env.WORK + "/other");`;
      await place.run(another);
      await place.quiet();
      assertDone(place);
    }));

  test("without a guard the next start does all, in its own process", () =>
    inPlace(async (place) => {
      await leaveBehind(place);
      const another = `
          import { remove } from "atexit/durable";
          import { existsSync } from "node:fs";
          remove(process.env.WORK + "/other");
          const timer = setInterval(() => existsSync(process.env.WORK + "/scratch") || clearInterval(timer), 5);`;
      await place.run(another, { env: NO_GUARD });
      assertDone(place);
    }));

  test("a guard that is killed is replaced while its owner lives", () =>
    inPlace(async (place) => {
      const guards: number[] = [];
      await place.run(WITH_RECIPES, {
        async act(child) {
          await printed(child, "ready\n");
          for (let times = 0; times < 3; times += 1) {
            await until(() => place.waitingGuards().some((pid) => !guards.includes(pid)));
            const guard = place.waitingGuards().find((pid) => !guards.includes(pid)) as number;
            guards.push(guard);
            process.kill(guard, "SIGKILL");
          }
          await until(() => place.waitingGuards().some((pid) => !guards.includes(pid)));
          assertNothingDone(place);
          child.kill("SIGKILL");
        },
      });
      await place.quiet();
      assertDone(place);
    }));

  test("never the journal of a live owner", () =>
    inPlace(async (place) => {
      await place.run(WITH_RECIPES, {
        env: NO_GUARD,
        async act(child) {
          await printed(child, "ready\n");
          assert.deepEqual(await place.recover(), []);
          child.kill("SIGSTOP");
          assert.deepEqual(await place.recover(), []);
          assertNothingDone(place);
          child.kill("SIGKILL");
        },
      });
      await place.recover();
      assertDone(place);
    }));
});

test("after a start of the system with another boot id", { skip: process.getuid?.() !== 0 && "needs root" }, () =>
  inPlace(async (place) => {
    await leaveBehind(place);
    // A boot id alone says nothing: a container may have one of its own. It was written before the system started.
    for (const journal of place.left()) utimesSync(join(place.journals, journal), 1_000, 1_000);
    const boot = join(place.work, "boot");
    writeFileSync(boot, "11111111-2222-3333-4444-555555555555\n");
    const program = join(place.work, "recover.mjs");
    writeFileSync(program, `import { recover } from ${JSON.stringify(DURABLE)};\nawait recover();\n`);
    const script = `mount --bind "$1" /proc/sys/kernel/random/boot_id && exec "$2" "$3"`;
    await runToEnd("unshare", ["--mount", "/bin/sh", "-c", script, "sh", boot, process.execPath, program], place);
    assertDone(place);
  }),
);

const DURABLE = urlOf("atexit/durable");

for (const [where, prefix] of [
  ["outside it", []],
  ["in another one", ["unshare", "--pid", "--fork", "--mount-proc"]],
] as const) {
  test(
    `a pid namespace whose processes were all killed at once, by a start ${where}`,
    {
      skip: process.getuid?.() !== 0 && "needs root",
    },
    () =>
      inPlace(async (place) => {
        const program = join(place.work, "program.mjs");
        writeFileSync(program, WITH_RECIPES.replace('"atexit/durable"', JSON.stringify(DURABLE)));
        const recovering = join(place.work, "recover.mjs");
        writeFileSync(recovering, `import { recover } from ${JSON.stringify(DURABLE)};\nawait recover();\n`);
        const recover = () => {
          const [command = "", ...args] = [...prefix, process.execPath, recovering];
          return runToEnd(command, args, place);
        };
        const namespace = spawn(
          "unshare",
          ["--pid", "--fork", "--kill-child", "--mount-proc", process.execPath, program],
          {
            env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work },
            stdio: ["ignore", "pipe", "inherit"],
          },
        );
        const ended = new Promise((resolve) => namespace.once("close", resolve));
        await printed(namespace, "ready\n");
        const journal = join(place.journals, place.left()[0] as string);
        await until(() => readFileSync(journal, "utf8").includes('{"locked":true}'));
        await recover();
        assertNothingDone(place); // its owner lives, in a namespace where its pid means something else
        namespace.kill("SIGKILL");
        await ended;
        await place.quiet();
        assertNothingDone(place); // the guard died with it
        await recover();
        assertDone(place);
      }),
  );
}

test("sixteen processes recovering at once carry each recipe out once", () =>
  inPlace(async (place) => {
    const dead = 6;
    for (let owner = 0; owner < dead; owner += 1) {
      const source = WITH_RECIPES.replaceAll("scratch", `scratch-${owner}`);
      await leaveBehind(
        place,
        source.replace('["first", "second"]', JSON.stringify([`${owner}-first`, `${owner}-second`])),
      );
    }
    const all = await Promise.all(Array.from({ length: 16 }, () => place.recover()));
    await until(() => place.left().length === 0);
    const trace = linesOf(join(place.work, "trace"));
    assert.equal(trace.length, dead * 2);
    assert.equal(new Set(trace).size, dead * 2, "each once");
    assert.equal(all.flat().length, dead * 3, "and told by one of them");
    assert.deepEqual(readdirSync(place.work), ["trace"]);
  }));

test("a recipe that kills whoever carries it out is given up after three times, and the others are carried out", () =>
  inPlace(async (place) => {
    const source = WITH_RECIPES.replace("setInterval", 'exec("/bin/sh", ["-c", "kill -9 $PPID"]);\nsetInterval');
    await leaveBehind(place, source);
    for (let times = 0; times < 3; times += 1) {
      const { signal } = await place.run('import { recover } from "atexit/durable"; await recover();');
      assert.equal(signal, "SIGKILL");
    }
    const done = await place.recover();
    assert.equal(done[0]?.outcome, "given up");
    assertDone(place);
  }));

test("a replay that was killed half way is gone on with by the guard, or by the next start", () =>
  inPlace(async (place) => {
    const once = `exec("/bin/sh", ["-c", 'test -e "$1/once" || { touch "$1/once"; kill -9 $PPID; }', "sh", WORK]);`;
    await place.run(WITH_RECIPES.replace("setInterval", `${once}\nsetInterval`), { act: killWhenReady });
    await place.quiet();
    await place.recover();
    assertDone(place);
  }));

test("a recipe that fails is tried again at the next starts, three times in all", () =>
  inPlace(async (place) => {
    mkdirSync(join(place.work, "missing"));
    const source = `
      import { exec } from "atexit/durable";
      exec("/bin/sh", ["-c", 'echo tried >>"$1/tries"; exit 3', "sh", process.env.WORK]);
      setInterval(() => {}, 1_000);
      process.stdout.write("ready\\n");`;
    await leaveBehind(place, source);
    const outcomes: string[] = [];
    for (let times = 0; times < 4; times += 1) outcomes.push(...(await place.recover()).map(({ outcome }) => outcome));
    assert.deepEqual(outcomes, ["failed", "failed", "given up"]);
    assert.equal(linesOf(join(place.work, "tries")).length, 3);
    assert.deepEqual(place.left(), []);
  }));

test(
  "a process that becomes another program is not dead; its recipes wait for its end",
  { skip: !("execve" in process) && "this Node has no process.execve()" },
  () =>
    inPlace(async (place) => {
      const source = WITH_RECIPES.replace(
        /setInterval.*$/s,
        `process.execve("/bin/sh", ["sh", "-c", "echo another; read line"], process.env);`,
      );
      await place.run(source, {
        stdio: ["pipe", "pipe", "pipe"],
        async act(child) {
          await printed(child, "another\n");
          const [guard] = place.guards() as [number]; // the others are its children
          await until(() => childrenOf(guard).some((pid) => commandOf(pid).startsWith("sleep")));
          assertNothingDone(place);
          child.stdin?.end();
        },
      });
      await place.quiet();
      assertDone(place);
    }),
);

function runToEnd(command: string, args: readonly string[], place: Place): Promise<void> {
  const child = spawn(command, args, {
    env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  });
}
