// Prints what one recipe costs, in nanoseconds; or, with an argument, an lstat
// and a write of the same line.

import {
  appendFileSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { remove } from "atexit/durable";

const TIMES = 50_000;
const path = join(dirname(process.env.ATEXIT_DIR), "file-with-a-usual-name");
appendFileSync(path, "");
remove(path); // the journal is there
const [journal] = readdirSync(process.env.ATEXIT_DIR);
const line = `${readFileSync(`${process.env.ATEXIT_DIR}/${journal}`, "utf8").split("\n").at(-2)}\n`;
mkdirSync(`${process.env.ATEXIT_DIR}/other`, { recursive: true });
const fd = openSync(`${process.env.ATEXIT_DIR}/other/journal`, "a");

const tasks = {
  recipe: () => remove(path),
  bare() {
    lstatSync(path);
    writeSync(fd, line);
  },
};
const task = tasks[process.argv[2] ?? "recipe"];
for (let times = 0; times < 5_000; times += 1) task();
const start = process.hrtime.bigint();
for (let times = 0; times < TIMES; times += 1) task();
const took = Number(process.hrtime.bigint() - start) / TIMES;
closeSync(fd);
console.log(took);
process.reallyExit(0); // not what is measured
