// A program that only runs once at a time, and leaves cleanly. Left early with
// `node examples/app-bootstrap.mjs exit`, or throw, SIGTERM, SIGKILL.

import { setTimeout as sleep } from "node:timers/promises";
import { start } from "atexit/app";

const [early] = process.argv.slice(2);

const app = await start("myapp");

console.log("Application doing work...");
app.log("Processed 42 requests");
await sleep(100);

if (early === "exit") process.exit(3);
if (early === "throw") throw new Error("The work went wrong.");
if (early !== undefined) {
  process.kill(process.pid, early);
  await sleep(60_000, undefined, { ref: true });
}
console.log("Work complete.");
