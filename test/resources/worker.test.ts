// Workers: their own cleanups run before they are ended, on every exit of the
// main thread, in pools and in a cluster, and within a bound.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { withUrls } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { isAlive } from "../support/processes.ts";
import { linesOf, printed, run, statusOf, until } from "../support/run.ts";

const waysOut = {
  "the natural end": ["", "0"],
  "process.exit": ["process.exit(3);", "3"],
  "a throw": ["throw new Error('thrown');", "1"],
  "an unhandled rejection": ["Promise.reject(new Error('rejected'));", "1"],
  SIGTERM: ["process.kill(process.pid, 'SIGTERM');", "SIGTERM"],
  SIGINT: ["process.kill(process.pid, 'SIGINT');", "SIGINT"],
} as const;

const trace = ({ work }: Place) => linesOf(join(work, "trace"));

/** What a worker does: it has a connection, which takes a moment to close. */
const WORKER = `
  import { appendFileSync } from "node:fs";
  import { threadId } from "node:worker_threads";
  import { exiting, register } from "atexit";
  const trace = (text) => appendFileSync(process.env.WORK + "/trace", text + "\\n");
  register(() => trace("connection closed"));
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 20)); trace("statement closed " + exiting.reason.kind); });
`;

/** Writes the worker's module beside the program, which finds it as `file`. */
const withWorker = (module: string, body: string) => `
  import { writeFileSync } from "node:fs";
  const file = process.argv[1] + ".worker.mjs";
  writeFileSync(file, ${JSON.stringify(module)});
  ${body}`;

describe("a worker thread", { concurrency: 2 }, () => {
  for (const [way, [leave, status]] of Object.entries(waysOut)) {
    test(`${way}: its stack runs before that of the main thread goes on`, () =>
      inPlace(async (place) => {
        const source = withWorker(
          `${WORKER}
             import { parentPort } from "node:worker_threads";
             setInterval(() => {}, 1_000);
             parentPort.postMessage("ready");`,
          `
              import { appendFileSync } from "node:fs";
              import { once } from "node:events";
              import { Worker } from "node:worker_threads";
              import { register } from "atexit";
              import { worker } from "atexit/resources";
              register(() => appendFileSync(process.env.WORK + "/trace", "main\\n"));
              const thread = new Worker(file);
              worker(thread);
              await once(thread, "message");
              thread.unref();
              ${leave}`,
        );
        const ended = await place.run(source);
        assert.equal(statusOf(ended), status, ended.stderr);
        assert.deepEqual(trace(place), ["statement closed parent", "connection closed", "main"]);
      }));
  }
});

test("close() ends it with its own code, once; one that ends by itself is forgotten", () =>
  inPlace(async (place) => {
    const { stdout, stderr } = await place.run(
      withWorker(
        `${WORKER} import { parentPort } from "node:worker_threads"; parentPort.postMessage("ready"); parentPort.on("message", () => parentPort.close());`,
        `
          import { once } from "node:events";
          import { Worker } from "node:worker_threads";
          import { count } from "atexit";
          import { worker } from "atexit/resources";
          const thread = new Worker(file);
          const handle = worker(thread);
          await once(thread, "message");
          const exit = once(thread, "exit");
          await Promise.all([handle.close(), handle.close()]);
          console.log("code", ...await exit, count());
          await handle.close();
          const other = new Worker(file);
          worker(other);
          await once(other, "message");
          other.postMessage("end");
          console.log("code", ...await once(other, "exit"), count());`,
      ),
    );
    assert.equal(stdout, "code 0 0\ncode 0 0\n", stderr);
    assert.equal(trace(place).length, 4);
  }));

describe("within a bound", () => {
  for (const [what, module] of [
    ["a worker that blocks", `${WORKER} parentPort.postMessage("ready"); for (;;);`],
    [
      "a worker whose cleanup never ends",
      `${WORKER} register(() => new Promise(() => {})); parentPort.postMessage("ready"); setInterval(() => {}, 1_000);`,
    ],
    ["a worker that has nothing registered", `parentPort.postMessage("ready"); setInterval(() => {}, 1_000);`],
    ["a worker that has not loaded this package, and blocks", `parentPort.postMessage("ready"); for (;;);`],
  ] as const) {
    test(`${what} is terminated`, () =>
      inPlace(async (place) => {
        const { stdout, stderr } = await place.run(
          withWorker(
            `import { parentPort } from "node:worker_threads"; ${module}`,
            `
              import { once } from "node:events";
              import { Worker } from "node:worker_threads";
              import { worker } from "atexit/resources";
              const thread = new Worker(file);
              const handle = worker(thread, { grace: 400 });
              await once(thread, "message");
              const startedAt = performance.now();
              await handle.close();
              const took = performance.now() - startedAt;
              console.log(took < 3_000 ? "ended" : took);`,
          ),
        );
        assert.equal(stdout, "ended\n", stderr);
      }));
  }
});

const pools = {
  piscina: `
    import { Piscina } from "piscina";
    const pool = new Piscina({ filename: file, minThreads: 2, maxThreads: 2, atomics: "disabled" });`,
  tinypool: `
    import { Tinypool } from "tinypool";
    const pool = new Tinypool({ filename: file, minThreads: 2, maxThreads: 2, useAtomics: false });`,
};

for (const [name, create] of Object.entries(pools)) {
  describe(`a connection for each worker of ${name}`, { concurrency: 2 }, () => {
    for (const [way, [leave, status]] of Object.entries(waysOut)) {
      test(`${way}: each is closed`, () =>
        inPlace(async (place) => {
          const source = withWorker(
            `${WORKER} export default async () => { await new Promise((resolve) => setTimeout(resolve, 50)); return threadId; };`,
            `
                ${create}
                import { worker } from "atexit/resources";
                worker(pool);
                const threads = await Promise.all([pool.run(), pool.run(), pool.run(), pool.run()]);
                console.log(new Set(threads).size);
                ${leave}`,
          );
          const ended = await place.run(source);
          assert.equal(statusOf(ended), status, ended.stderr);
          assert.equal(ended.stdout, "2\n");
          assert.deepEqual(trace(place).sort(), [
            "connection closed",
            "connection closed",
            "statement closed parent",
            "statement closed parent",
          ]);
        }));
    }
  });
}

const CLUSTER = (leave: string, worker: string) => `
  import { appendFileSync } from "node:fs";
  import cluster from "node:cluster";
  import { register } from "atexit";
  const trace = (text) => appendFileSync(process.env.WORK + "/trace", text + "\\n");
  if (cluster.isPrimary) {
    const { clusterWorkers } = await import("atexit/resources");
    register(() => trace("primary"));
    clusterWorkers({ grace: 500 });
    let ready = 0;
    cluster.on("message", () => {
      ready += 1;
      if (ready === 2) setTimeout(() => { ${leave} });
    });
    for (let n = 0; n < 2; n += 1) cluster.fork();
    for (const { process } of Object.values(cluster.workers)) appendFileSync(globalThis.process.env.WORK + "/pids", process.pid + "\\n");
  } else {
    ${worker}
    process.send("ready");
  }`;

describe("a cluster", { concurrency: 2 }, () => {
  for (const [way, [leave, status]] of Object.entries(waysOut).filter(([way]) => way !== "the natural end")) {
    test(`${way}: each worker is asked once and cleans up, then the primary ends itself`, () =>
      inPlace(async (place) => {
        const worker = `
            register(async () => { await new Promise((resolve) => setTimeout(resolve, 50)); trace("worker"); });
            setInterval(() => {}, 1_000);`;
        const ended = await place.run(CLUSTER(leave, worker));
        assert.equal(statusOf(ended), status, ended.stderr);
        assert.deepEqual(trace(place), ["worker", "worker", "primary"]);
      }));
  }
});

test("a cluster's worker that does not end is killed, and the primary ends", () =>
  inPlace(async (place) => {
    const ended = await place.run(
      CLUSTER("process.exit(3);", 'process.on("SIGTERM", () => trace("asked")); setInterval(() => {}, 1_000);'),
    );
    assert.equal(ended.code, 3, ended.stderr);
    assert.deepEqual(trace(place), ["asked", "asked", "primary"]);
    const pids = linesOf(join(place.work, "pids")).map(Number);
    assert.equal(pids.length, 2);
    await until(() => !pids.some(isAlive));
  }));

test("Ctrl-C on a terminal asks each worker once: they and the primary end", () =>
  inPlace(async (place) => {
    const worker = `
      process.on("SIGTERM", () => trace("asked a second time"));
      register(async () => { await new Promise((resolve) => setTimeout(resolve, 50)); trace("worker"); });
      setInterval(() => {}, 1_000);`;
    const source = CLUSTER('console.log("ready");', worker);
    const file = join(place.work, "program.mjs");
    writeFileSync(file, withUrls(source));
    // script(1) gives the program a terminal, and passes on what it reads.
    const ended = await run("script", ["-qefc", `${process.execPath} ${file}`, "/dev/null"], {
      env: place.environment,
      stdio: ["pipe", "pipe", "pipe"],
      async act(child) {
        await printed(child, "ready");
        child.stdin?.write("\x03");
      },
    });
    assert.ok(ended.code !== 0);
    assert.deepEqual(trace(place), ["worker", "worker", "primary"]);
  }));
