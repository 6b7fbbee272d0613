// Prints what it takes to make a temporary file, or a directory, and remove it
// again, in microseconds; as this package does it, tmp, or tempy.

import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { tempDir, tempFile } from "atexit/resources";

const TIMES = 2_000;
const [how = "atexit", what = "file"] = process.argv.slice(2);
const peers = createRequire(process.env.PEERS);
const tasks = {
  atexit: {
    file: () => tempFile().remove(),
    dir: () => tempDir().remove(),
  },
  get tmp() {
    const tmp = peers("tmp");
    return {
      file: () => tmp.fileSync({ discardDescriptor: true }).removeCallback(),
      dir: () => tmp.dirSync({ unsafeCleanup: true }).removeCallback(),
    };
  },
  tempy: {
    file() {
      const path = tempy.temporaryFile();
      writeFileSync(path, ""); // tempy gives the name alone
      rmSync(path);
    },
    dir: () => rmSync(tempy.temporaryDirectory(), { recursive: true }),
  },
};
const tempy =
  how === "tempy" ? await import(new URL("node_modules/tempy/index.js", pathToFileURL(process.env.PEERS))) : undefined;
const task = tasks[how][what];
for (let n = 0; n < 1_000; n += 1) task(); // and what it has started, a guard, runs quietly by then
const start = process.hrtime.bigint();
for (let n = 0; n < TIMES; n += 1) task();
console.log(Number(process.hrtime.bigint() - start) / 1e3 / TIMES);
