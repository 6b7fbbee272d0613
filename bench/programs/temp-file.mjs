// Prints what it takes to make a file and remove it again, in microseconds:
// with a recipe, or as tmp does it.

import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { remove } from "atexit/durable";

const TIMES = 2_000;
const tasks = {
  recipe(n) {
    const path = `${process.env.ATEXIT_DIR}/../file-${n}`;
    const registration = remove(path); // a kill never falls between the file and its registration
    closeSync(openSync(path, "wx", 0o600));
    registration.run();
  },
  tmp() {
    tmp.fileSync({ discardDescriptor: true }).removeCallback();
  },
};
const task = tasks[process.argv[2] ?? "recipe"];
const tmp = process.argv[2] === "tmp" ? createRequire(import.meta.url)("tmp") : undefined;
for (let n = 0; n < 200; n += 1) task(`warm-${n}`);
const start = process.hrtime.bigint();
for (let n = 0; n < TIMES; n += 1) task(n);
console.log(Number(process.hrtime.bigint() - start) / 1e3 / TIMES);
