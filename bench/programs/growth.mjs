// Prints what one of many costs, in microseconds: growth.mjs what how-many.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { configure, register } from "atexit";
import { recover, remove } from "atexit/durable";
import { lockFile } from "atexit/resources";

const [what, many, role] = process.argv.slice(2);
const count = Number(many);
const work = dirname(process.env.ATEXIT_DIR);
const STDOUT = 1;

const print = (start, times) => writeSync(STDOUT, `${Number(process.hrtime.bigint() - start) / 1_000 / times}\n`);

/** So many turns in all, whoever takes them: what the first and last ones wait for is little of that. */
const TURNS = 4_096;

/** So many more recipes, beside those that are pending. */
const MORE = 1_000;

const measured = {
  /** Cleanups at the natural end. */
  sync: () => cleanups(() => {}),
  async: () => cleanups(() => new Promise((resolve) => setImmediate(resolve))),

  /** A turn of a lock that so many processes want. */
  async contenders() {
    const lock = join(work, "app.lock");
    const go = join(work, "go");
    const turns = Math.max(1, Math.round(TURNS / count));
    if (role === undefined) {
      const children = Array.from({ length: count }, () =>
        spawn(process.execPath, [process.argv[1], what, many, "one"], { stdio: ["ignore", "pipe", "inherit"] }),
      );
      await Promise.all(children.map((child) => once(child.stdout, "data"))); // they have started
      const start = process.hrtime.bigint();
      writeFileSync(go, "");
      await Promise.all(children.map((child) => once(child.stdout, "end")));
      print(start, turns * count);
      return;
    }
    (await lockFile(lock, { wait: Number.POSITIVE_INFINITY })).release(); // loads what it needs
    writeSync(STDOUT, " ");
    while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 1));
    for (let turn = 0; turn < turns; turn += 1) {
      const held = await lockFile(lock, { wait: Number.POSITIVE_INFINITY });
      await new Promise((resolve) => setImmediate(resolve));
      held.release();
    }
  },

  /** One more recipe, and its end, beside so many that are pending. */
  pending() {
    const path = join(work, "file");
    writeFileSync(path, "");
    for (let n = 0; n < count; n += 1) remove(path);
    for (let n = 0; n < MORE; n += 1) remove(path).cancel();
    const start = process.hrtime.bigint();
    for (let n = 0; n < MORE; n += 1) remove(path).cancel();
    print(start, MORE);
    process.reallyExit(0); // not what is measured
  },

  /** A file that a dead process has left. */
  async leftovers() {
    if (role === undefined) {
      const dead = spawn(process.execPath, [process.argv[1], what, many, "one"], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      await once(dead, "exit");
      const start = process.hrtime.bigint();
      await recover();
      print(start, count);
      return;
    }
    const directory = join(work, "left");
    mkdirSync(directory);
    for (let n = 0; n < count; n += 1) {
      const path = join(directory, String(n));
      writeFileSync(path, "");
      remove(path);
    }
    process.kill(process.pid, "SIGKILL");
  },
};

function cleanups(one) {
  configure({ grace: 600_000 });
  let start;
  register(() => print(start, count));
  for (let n = 0; n < count; n += 1) register(one);
  register(() => {
    start = process.hrtime.bigint();
  });
}

await measured[what]();
