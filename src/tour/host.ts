// What the program runs under where that is not a plain parent: a parent with
// an IPC channel, a cluster's primary, a worker's main thread, node --watch.
// host.js <host> <program> <arguments>, and prints `HOST: <how it ended>`.

import { fork, spawn } from "node:child_process";
import cluster from "node:cluster";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Host } from "./ways-out.ts";

const [host, program, ...args] = process.argv.slice(2) as [Host, string, ...string[]];

function tell(status: string): void {
  process.stdout.write(`HOST: ${status}\n`);
}

const HOSTS: Partial<Record<Host, () => void>> = {
  fork() {
    const child = fork(program, args);
    child.on("message", (message) => {
      if (message === "disconnect me") child.disconnect();
      if (message === "shut me down") child.send("shutdown");
    });
    child.on("close", (code, signal) => tell(signal ?? String(code)));
  },

  "dying parent"() {
    // Its output stays open with the child, so whoever started this host sees the child's end.
    const child = fork(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.on("message", () => {
      process.stdout.write("HOST: unknown\n", () => process.kill(process.pid, "SIGKILL"));
    });
  },

  cluster() {
    cluster.setupPrimary({ exec: program, args });
    const worker = cluster.fork();
    worker.on("message", (message) => {
      if (message === "disconnect me") worker.disconnect();
      if (message === "kill me") worker.kill();
    });
    worker.on("exit", (code, signal) => tell(signal ?? String(code)));
  },

  worker() {
    const worker = new Worker(program, { workerData: args });
    let error = "";
    worker.on("error", (thrown) => {
      error = `${thrown} `;
    });
    worker.on("exit", (code) => tell(`${error}${code}`));
  },

  "terminating main thread"() {
    const worker = new Worker(program, { workerData: args });
    worker.on("message", async (message) => {
      if (message === "end yourself") process.exit(7);
      await worker.terminate();
      // The process lives on, and sees what the worker has left being cleaned up.
      const log = args.at(-1) as string;
      const isOver = () => existsSync(log) && readFileSync(log, "utf8").includes("first ends");
      for (let tries = 0; !isOver() && tries < 400; tries += 1) await sleep(5);
      tell(isOver() ? "terminated" : "nothing was cleaned up");
    });
  },

  watcher() {
    const child = spawn(process.execPath, ["--watch", "--watch-preserve-output", program, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let seen = "";
    child.stdout.on("data", (chunk) => {
      seen += chunk;
      // The program waits for its end, or has come to it and the watcher waits for a change.
      if (/^ready$|Completed running|Failed running/m.test(seen)) child.kill("SIGTERM");
    });
    child.on("close", (code, signal) => tell(signal ?? String(code)));
  },
};

HOSTS[host]?.();
