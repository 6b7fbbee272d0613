// Eight processes want one lock, each of them many times. Prints how long a turn
// takes, in milliseconds.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { lockFile } from "atexit/resources";

const PROCESSES = 8;
const TURNS = 50;
const peers = createRequire(process.env.PEERS);
const path = `${process.env.ATEXIT_DIR}/../app.lock`;
const [how = "atexit", role = "all"] = process.argv.slice(2);

const takes = {
  async atexit() {
    const lock = await lockFile(path, { wait: Number.POSITIVE_INFINITY });
    return () => lock.release();
  },
  // Both ask again and again; as often as each can.
  lockfile: () =>
    new Promise((resolve, reject) => {
      const { lock, unlockSync } = peers("lockfile");
      lock(path, { wait: 60_000, pollPeriod: 1 }, (error) => (error ? reject(error) : resolve(() => unlockSync(path))));
    }),
  async "proper-lockfile"() {
    const { lock } = peers("proper-lockfile");
    return lock(path, { retries: { retries: 100_000, minTimeout: 1, maxTimeout: 1 } });
  },
};

if (role === "all") {
  if (how === "proper-lockfile") writeFileSync(path, "");
  const go = `${path}.go`;
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [process.argv[1], how, go], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  await Promise.all(children.map((child) => once(child.stdout, "data"))); // they have started
  const start = process.hrtime.bigint();
  writeFileSync(go, "");
  await Promise.all(children.map((child) => once(child, "exit")));
  console.log(Number(process.hrtime.bigint() - start) / 1e6 / PROCESSES / TURNS);
} else {
  (await takes[how]())(); // loads what it needs
  process.stdout.write("ready");
  while (!existsSync(role)) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let n = 0; n < TURNS; n += 1) {
    const release = await takes[how]();
    await new Promise((resolve) => setImmediate(resolve));
    await release();
  }
}
