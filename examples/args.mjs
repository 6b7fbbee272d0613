// A cleanup with an argument, captured when the file is made. `args.mjs gone`
// removes the file before the end, `args.mjs throw` fails in the middle.

import { mkdtempSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { register } from "atexit";

function deleteTempFile(path) {
  try {
    unlinkSync(path);
    console.log(`Deleted temp file: ${path}`);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    console.log(`Temp file already gone: ${path}`);
  }
  rmdirSync(dirname(path));
}

const path = join(mkdtempSync(join(tmpdir(), "atexit-args-")), "data.tmp");
register(deleteTempFile, path);
writeFileSync(path, "temporary data");
console.log(`Created: ${path}`);

console.log("Doing some work...");
if (process.argv[2] === "gone") unlinkSync(path);
if (process.argv[2] === "throw") throw new Error("The work went wrong.");
console.log("Work done.");
