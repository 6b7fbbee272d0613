// PM2, Docker, npm: who else starts and stops a service.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inPlace, type Place } from "../durable/support.js";
import { linesOf, printed, run, statusOf } from "../support/run.js";

const PROGRAM = fileURLToPath(new URL("../../../examples/app-bootstrap.mjs", import.meta.url));
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
  inPlace(async (place) => {
    const file = fileURLToPath(new URL(`../../pm2-${process.pid}.mjs`, import.meta.url));
    writeFileSync(file, SERVICE);
    const env = { PATH: process.env["PATH"], HOME: place.work, ATEXIT_DIR: place.journals };
    const child = fork(file, { env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const [message] = (await once(child, "message")) as [unknown];
    assert.equal(message, "ready");
    assert.deepEqual(log(place), ["=== myapp started ==="]);
    child.send("shutdown");
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 0);
    assert.equal(log(place).at(-1), STOPPED);
    rmSync(file);
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
