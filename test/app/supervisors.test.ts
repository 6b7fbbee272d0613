// PM2, Docker, npm: who else starts and stops a service.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { examplesDirectory, repository } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { withProgram } from "../support/program.ts";
import { linesOf, printed, run, statusOf, until } from "../support/run.ts";

const PM2 = join(repository, "node_modules/pm2/bin/pm2");
const PROGRAM = join(examplesDirectory(), "app-bootstrap.mjs");
const log = ({ work }: Place) => linesOf(join(work, ".local/state/myapp/myapp.log"));
const STOPPED = "=== myapp stopped ===";

/** A service in a file that finds the package by its name. */
const SERVICE = `
  import { start } from "atexit/app";
  const app = await start("myapp");
  await app.ready();
  setInterval(() => {}, 1_000);
  console.log("runs");`;

test("PM2: `ready` is sent once it is, and `shutdown` ends it with 0", () =>
  inPlace((place) =>
    withProgram(SERVICE, "service.mjs", async (file) => {
      const env = { PATH: process.env["PATH"], HOME: place.work, ATEXIT_DIR: place.journals };
      const child = fork(file, { env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
      const [message] = (await once(child, "message")) as [unknown];
      assert.equal(message, "ready");
      assert.deepEqual(log(place), ["=== myapp started ==="]);
      child.send("shutdown");
      const [code] = (await once(child, "exit")) as [number];
      assert.equal(code, 0);
      assert.equal(log(place).at(-1), STOPPED);
    }),
  ));

test("PM2 itself: waits until it is ready, and stops, reloads and ends it well", () =>
  inPlace(async (place) => {
    const out = join(place.work, "out");
    const source = `import { appendFileSync } from "node:fs";
      import { register } from "atexit";
      import { start } from "atexit/app";
      const app = await start("myapp");
      register(async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        appendFileSync(${JSON.stringify(out)}, "cleaned up\\n");
      });
      appendFileSync(${JSON.stringify(out)}, "ready\\n");
      await app.ready();`;
    await withProgram(source, "service.mjs", async (file) => {
      const PM2_HOME = join(place.work, "pm2");
      const env = {
        PATH: process.env["PATH"],
        HOME: place.work,
        PM2_HOME,
        PM2_DISCRETE_MODE: "1",
        ATEXIT_DIR: place.journals,
      };
      const pm2 = async (...args: string[]) => {
        const ended = await run(process.execPath, [PM2, ...args, "--silent"], { env, cwd: place.work });
        assert.equal(ended.code, 0, `pm2 ${args.join(" ")}: ${ended.stderr}`);
      };
      const start = (...options: string[]) => pm2("start", file, "--name", "service", "--wait-ready", ...options);
      try {
        await start();
        assert.deepEqual(linesOf(out), ["ready"]);
        assert.deepEqual(log(place), ["=== myapp started ==="]);
        await pm2("stop", "service"); // SIGINT
        assert.deepEqual(linesOf(out), ["ready", "cleaned up"]);
        assert.equal(log(place).at(-1), STOPPED);
        await pm2("delete", "service");
        await start("--shutdown-with-message");
        await pm2("reload", "service");
        assert.deepEqual(linesOf(out).slice(2), ["ready", "cleaned up", "ready"]);
      } finally {
        await pm2("kill");
      }
    });
    assert.deepEqual(linesOf(out).slice(5), ["cleaned up"]);
    assert.equal(log(place).filter((line) => line === STOPPED).length, 3);
  }));

test("PM2's cluster mode: the lock says what to set; without it two instances run, and are reloaded", () =>
  inPlace(async (place) => {
    const out = join(place.work, "out");
    const source = `import { appendFileSync } from "node:fs";
      import { start } from "atexit/app";
      const app = await start("myapp", process.env.WITHOUT_LOCK ? { lock: false } : {});
      appendFileSync(${JSON.stringify(out)}, "ready\\n");
      await app.ready();
      setInterval(() => {}, 1_000);`;
    await withProgram(source, "service.mjs", async (file) => {
      const PM2_HOME = join(place.work, "pm2");
      const env = {
        PATH: process.env["PATH"],
        HOME: place.work,
        PM2_HOME,
        PM2_DISCRETE_MODE: "1",
        ATEXIT_DIR: place.journals,
      };
      const pm2 = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
        run(process.execPath, [PM2, ...args, "--silent"], { env: { ...env, ...more }, cwd: place.work });
      const errors = () =>
        readdirSync(join(PM2_HOME, "logs"))
          .filter((name) => name.startsWith("locked-error"))
          .map((name) => readFileSync(join(PM2_HOME, "logs", name), "utf8"))
          .join("");
      try {
        await pm2(["start", file, "--name", "locked", "-i", "2", "--max-restarts", "1"]);
        await until(() => errors().includes("start(name, { lock: false })"));
        await pm2(["delete", "locked"]);
        const before = linesOf(out).length;
        await pm2(["start", file, "--name", "two", "-i", "2", "--wait-ready"], { WITHOUT_LOCK: "1" });
        await pm2(["reload", "two"]);
        assert.equal(linesOf(out).length - before, 4);
      } finally {
        await pm2(["kill"]);
      }
    });
  }));

test("Docker: as PID 1 of its namespace it ends well at SIGTERM, with 143", () =>
  inPlace(async (place) => {
    const env = { ...process.env, HOME: place.work, XDG_STATE_HOME: undefined, ATEXIT_DIR: place.journals };
    const namespace = ["--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"];
    const ended = await run("unshare", [...namespace, process.execPath, PROGRAM, "SIGTERM"], { env });
    assert.equal(statusOf(ended), "143", ended.stderr);
    assert.equal(log(place).at(-1), STOPPED);
  }));

test("npm: SIGINT of the terminal that arrives twice ends it well", () =>
  inPlace(async (place) => {
    const source = `${SERVICE.replace('console.log("runs");', "")}
      import { register } from "atexit";
      register(() => new Promise((resolve) => setTimeout(resolve, 300)));
      console.log("runs");`;
    const ended = await place.run(source, {
      env: { HOME: place.work, XDG_STATE_HOME: undefined },
      act: async (child) => {
        await printed(child, "runs");
        child.kill("SIGINT");
        child.kill("SIGINT"); // as npm passes on what the terminal has sent already
      },
    });
    assert.equal(statusOf(ended), "SIGINT", ended.stderr);
    assert.equal(log(place).at(-1), STOPPED);
  }));
