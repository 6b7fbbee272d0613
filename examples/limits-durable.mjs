// The twin of limits.mjs: the three exits that no function can cover, and a
// temp file that is gone after each of them. Try `limits-durable.mjs
// reallyExit`, `limits-durable.mjs SIGKILL` and `limits-durable.mjs abort`.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remove } from "atexit/durable";

const directory = mkdtempSync(join(tmpdir(), "atexit-limits-"));
remove(directory);
const path = join(directory, "data.tmp");
writeFileSync(path, "temporary data");
console.log(`Created: ${path}`);

switch (process.argv[2]) {
  case "reallyExit":
    console.log("Leaving past Node.js, by its internal function.");
    process.reallyExit(0);
    break;
  case "SIGKILL":
    console.log("Killed by the system.");
    process.kill(process.pid, "SIGKILL");
    break;
  case "abort":
    console.log("Crashing.");
    process.abort();
    break;
  default:
    console.log("Program ending normally.");
}
