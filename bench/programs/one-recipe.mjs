// A program with one recipe; or, with an argument, with none. It stays where it
// is told to.

import { remove } from "atexit/durable";

const [how] = process.argv.slice(2);
if (how !== "none") remove(`${process.env.ATEXIT_DIR}/../scratch`);
if (how === "stay") {
  setInterval(() => {}, 60_000);
  process.stdout.write("ready\n");
}
