// A resource that is released early, and not a second time at exit: in Python's
// way, or, with `unregister.mjs handle`, by the handle of the registration.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { register, unregister } from "atexit";

function releaseLock(path) {
  rmSync(dirname(path), { recursive: true });
  console.log(`Lock removed: ${path}`);
}

const path = join(mkdtempSync(join(tmpdir(), "atexit-unregister-")), "app.lock");
const lock = register(releaseLock, path);
writeFileSync(path, String(process.pid));
console.log(`Lock created: ${path}`);

if (process.argv[2] === "handle") {
  lock.run();
} else {
  releaseLock(path);
  unregister(releaseLock);
}
console.log("Lock explicitly released. No double cleanup.");
