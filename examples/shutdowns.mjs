// A service whose shutdown is good, slow, or killed half way, by argument: what
// `atexit report` has pictures of.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { configure, register } from "atexit";
import { closing, logFile, tempDir } from "atexit/resources";

const how = process.argv[2] ?? "good";
configure({ grace: 1_000 });

const scratch = tempDir({ prefix: "shutdowns-" });
writeFileSync(join(scratch.path, "upload"), "half of it");
const log = logFile(join(scratch.path, "service.log"));
log.write("started");

const pool = { end: () => sleep(how === "good" ? 60 : 120) };
closing({ name: "database pool" }, pool, (pool) => pool.end());

const worker = spawn("sleep", ["60"], { stdio: "ignore" });
register({ name: "worker process", timeout: 2_000 }, async () => {
  worker.kill(how === "slow" ? "SIGCONT" : "SIGTERM"); // slow: it takes no notice
  if (how === "killed") {
    await sleep(90);
    process.kill(process.pid, "SIGKILL");
  }
  await once(worker, "exit");
});
process.once("exit", () => worker.kill("SIGKILL"));

register({ name: "metrics", timeout: 200 }, () => (how === "slow" ? new Promise(() => {}) : sleep(35)));

const server = createServer((_, response) => setTimeout(() => response.end("done"), 150)).listen(0, "127.0.0.1");
await once(server, "listening");
closing({ name: "http server" }, server, (server) => new Promise((closed) => server.close(closed)));

register({ name: "leave the load balancer" }, () => sleep(25));

get({ port: server.address().port, host: "127.0.0.1", agent: false }, (response) => response.resume());
await once(server, "request");
process.kill(process.pid, "SIGTERM");
