// Prints how long after its holder was killed a lock is taken by one that waits
// for it, in milliseconds.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { lockFile } from "atexit/resources";

const peers = createRequire(process.env.PEERS);
const path = `${process.env.ATEXIT_DIR}/../app.lock`;
const [how = "atexit", role = "all"] = process.argv.slice(2);
const takes = {
  atexit: () => lockFile(path, { wait: Number.POSITIVE_INFINITY }),
  // As soon as it can: the shortest time after which it believes that a holder is gone.
  "proper-lockfile": () =>
    peers("proper-lockfile").lock(path, { stale: 2_000, retries: { retries: 10_000, minTimeout: 5, maxTimeout: 5 } }),
};

if (role === "holder") {
  await takes[how]();
  process.stdout.write("held");
  setInterval(() => {}, 1_000);
} else {
  if (how === "proper-lockfile") writeFileSync(path, "");
  const holder = spawn(process.execPath, [process.argv[1], how, "holder"], { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  const taken = takes[how]();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const start = process.hrtime.bigint();
  holder.kill("SIGKILL");
  await taken;
  console.log(Number(process.hrtime.bigint() - start) / 1e6);
  process.exit();
}
