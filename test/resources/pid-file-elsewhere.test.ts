// A pid file in a directory that several pid namespaces share, as containers do: a
// number that nobody has here may be that of a process which is alive there.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../support/place.ts";
import { CONTAINER, isAlive } from "../support/processes.ts";
import { withProgram } from "../support/program.ts";
import { printed, run, type RunOptions, until } from "../support/run.ts";

/** It says what it was told, and lives until it is killed if it was told nothing. */
const TAKE = `
  import { pidFile } from "atexit/resources";
  try {
    pidFile(process.env.WORK + "/app.pid");
    console.log("taken by " + process.pid);
    setInterval(() => {}, 1_000);
  } catch ({ code, message }) {
    console.log(code, message);
  }`;

const TAKE_AND_END = `${TAKE} process.exit();`;

const IN_DOUBT = /^ERR_ATEXIT_PID_FILE .* process (\d+) is not to be seen from here, and may be alive in another/;

/** Runs a program as the first process of a pid namespace of its own. */
function inContainer({ environment }: Place, source: string, options: RunOptions = {}, before = "") {
  return withProgram(source, "program.mjs", (path) =>
    run("unshare", [...CONTAINER, "sh", "-ec", `${before} exec "$0" "$1"`, process.execPath, path], {
      env: environment,
      ...options,
    }),
  );
}

/** A number that no process has here. */
function unusedPid(): number {
  for (let pid = 31_000; ; pid += 1) if (!isAlive(pid) && !isAlive(pid + 1)) return pid;
}

describe("a pid file in a shared directory", { skip: process.getuid?.() !== 0 && "needs root" }, () => {
  test("is left to a program outside that is alive, and to one with this process's own number", () =>
    inPlace(async (place) => {
      const path = join(place.work, "app.pid");
      for (const pid of [process.pid, 1]) {
        writeFileSync(path, `${pid}\n`);
        const { stdout, stderr } = await inContainer(place, TAKE_AND_END);
        assert.equal(IN_DOUBT.exec(stdout)?.[1], String(pid), stdout + stderr);
        assert.deepEqual([readdirSync(place.work), readFileSync(path, "utf8")], [["app.pid"], `${pid}\n`]);
      }
    }));

  test("is left to a program in a container that is alive", () =>
    inPlace(async (place) => {
      const pid = unusedPid();
      const script = `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid; sleep 60 & echo $! > "$WORK/app.pid"; echo written; wait`;
      await run("unshare", [...CONTAINER, "sh", "-c", script], {
        env: place.environment,
        async act(container) {
          await printed(container, "written");
          try {
            const written = readFileSync(join(place.work, "app.pid"), "utf8").trim();
            assert.ok(!isAlive(Number(written)), "the number must be nobody's here");
            const { stdout, stderr } = await place.run(TAKE_AND_END);
            assert.equal(IN_DOUBT.exec(stdout)?.[1], written, stdout + stderr);
            assert.deepEqual(readdirSync(place.work), ["app.pid"]);
          } finally {
            container.kill("SIGKILL");
          }
        },
      });
    }));

  for (const [what, lose] of [
    ["its recipes", () => {}],
    ["its recipes lost with it", ({ journals }: Place) => rmSync(journals, { recursive: true })],
  ] as const) {
    test(`of a container that was killed, ${what}, is had by the next one, which has the same number`, () =>
      inPlace(async (place) => {
        const isProvable = () =>
          readFileSync(join(place.work, "app.pid.lock"), "utf8").includes('{"locked":true}') &&
          place.left().some((file) => readFileSync(join(place.journals, file), "utf8").includes('{"locked":true}'));
        const first = await inContainer(place, TAKE, {
          async act(container) {
            await printed(container, "taken by 1");
            await until(isProvable);
            container.kill("SIGKILL");
          },
        });
        assert.equal(first.stdout, "taken by 1\n", first.stderr);
        await until(() => place.guards().length === 0);
        assert.equal(readFileSync(join(place.work, "app.pid"), "utf8"), "1\n");
        lose(place);
        const next = await inContainer(place, TAKE_AND_END);
        assert.equal(next.stdout, "taken by 1\n", next.stderr);
        assert.deepEqual(readdirSync(place.work), []);
      }));
  }

  test("that was written before the system started is replaced, in a container as well", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "app.pid"), "12345\n");
      const before = `
        sed "s/^btime .*/btime $(($(date +%s) + 60))/" /proc/stat > "$WORK.stat"
        mount --bind "$WORK.stat" /proc/stat;`;
      const { stdout, stderr } = await inContainer(place, TAKE_AND_END, {}, before);
      assert.equal(stdout, "taken by 1\n", stderr);
    }));
});
