// Prints what it takes to take a lock and let it go, in microseconds; as this
// package does it, lockfile, or proper-lockfile.

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { lockFileSync } from "atexit/resources";

const TIMES = 10_000;
const peers = createRequire(process.env.PEERS);
const path = `${process.env.ATEXIT_DIR}/../app.lock`;
const tasks = {
  atexit: () => () => lockFileSync(path).release(),
  lockfile() {
    const { lockSync, unlockSync } = peers("lockfile");
    return () => {
      lockSync(path);
      unlockSync(path);
    };
  },
  "proper-lockfile"() {
    const { lockSync, unlockSync } = peers("proper-lockfile");
    writeFileSync(path, "");
    return () => {
      lockSync(path);
      unlockSync(path);
    };
  },
};
const task = tasks[process.argv[2] ?? "atexit"]();
for (let n = 0; n < 2_000; n += 1) task(); // and what it has started, a guard, runs quietly by then
const start = process.hrtime.bigint();
for (let n = 0; n < TIMES; n += 1) task();
console.log(Number(process.hrtime.bigint() - start) / 1e3 / TIMES);
