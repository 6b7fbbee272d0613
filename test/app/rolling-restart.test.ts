// Three instances under load are restarted one by one, as Kubernetes does it:
// the kubelet sends SIGTERM and asks the probes; the load balancer goes on
// sending for a while after an instance has said that it wants no more.

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { extname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inPlace, type Place } from "../support/place.ts";
import { type Ended, printed, statusOf } from "../support/run.ts";
import { freePort } from "../support/servers.ts";

/** How long the load balancer goes on sending to one that is not ready any more, in milliseconds. */
const NOTICED_AFTER = 1_000;
const DRAIN_DELAY = 1_500;

const INSTANCE = `
  import { createServer } from "node:http";
  import { register } from "atexit";
  import { start } from "atexit/app";
  const app = await start("web", { dir: process.env.DIR, lock: false, log: false, quiet: true, drainDelay: ${DRAIN_DELAY}, probes: { port: Number(process.env.PROBES), host: "127.0.0.1" } });
  let served = 0, leaving = 0, isLeaving = false;
  process.prependListener("SIGTERM", function told() { process.off("SIGTERM", told); isLeaving = true; process.kill(process.pid, "SIGTERM"); });
  register(() => console.log(JSON.stringify({ served, leaving })));
  const http = createServer((request, response) => {
    served += 1;
    if (isLeaving) leaving += 1;
    setTimeout(() => response.end("x".repeat(2_000)), 5 + Math.random() * 30);
  });
  const { port } = await app.serve(http, { host: "127.0.0.1" });
  for await (const _ of process.stdin); // it warms up
  await app.ready();
  console.log("port " + port);`;

interface Instance {
  readonly port: number;
  readonly probes: number;
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

async function probe(port: number, path: string): Promise<number> {
  const asked = get({ host: "127.0.0.1", port, path, agent: false });
  const [response] = (await once(asked, "response")) as [import("node:http").IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode as number;
}

const LOAD_BALANCER = fileURLToPath(new URL(`load-balancer${extname(import.meta.url)}`, import.meta.url));

/** Starts an instance, and asks its probes as the kubelet does until it wants requests. */
async function startInstance(place: Place): Promise<Instance> {
  const probes = await freePort();
  return new Promise((resolve, reject) => {
    const ended = place.run(INSTANCE, {
      env: {
        PROBES: String(probes),
        DIR: join(place.work, "state"),
        KUBERNETES_SERVICE_HOST: "10.0.0.1",
        TERMINATION_GRACE_PERIOD_SECONDS: "30",
      },
      stdio: ["pipe", "pipe", "pipe"],
      act: async (child) => {
        const said = printed(child, "port ").then(
          () => true,
          () => false, // how it ended says more
        );
        let stdout = "";
        child.stdout?.on("data", (chunk) => (stdout += chunk));
        await answers(child, probes, "200 503 503");
        child.stdin?.end("warm"); // only now: a kubelet that the machine keeps waiting would miss the state before
        await answers(child, probes, "200 200 200");
        if (await said) resolve({ port: Number(/port (\d+)/.exec(stdout)?.[1]), probes, child, ended });
      },
    });
    ended.then((how) => reject(new Error(`The instance ended with ${statusOf(how)}: ${how.stderr}`)), reject);
  });
}

/** Asks for liveness, readiness and start until they are as expected, or the process has ended. */
async function answers(child: ChildProcess, probes: number, expected: string): Promise<void> {
  for (let answer = ""; answer !== expected && child.exitCode === null && child.signalCode === null;) {
    // The kubelet asks again and again, from before anybody answers.
    const asked = ["/livez", "/readyz", "/startupz"].map((path) => probe(probes, path));
    answer = (await Promise.all(asked).catch(() => [])).join(" ");
    if (answer !== expected) await sleep(20);
  }
}

test("a rolling restart of three instances under load: no request fails", () =>
  inPlace(async (place) => {
    const balancer = fork(LOAD_BALANCER);
    const started: Instance[] = [];
    const start = async (): Promise<Instance> => {
      const instance = await startInstance(place);
      started.push(instance);
      return instance;
    };
    const outcomes = { answered: 0, failures: [] as string[] };
    const load = new AbortController();
    let clients: Promise<unknown> = Promise.resolve();
    try {
      const [port] = (await once(balancer, "message")) as [number];
      const tell = async (instances: readonly Instance[]) => {
        balancer.send(instances.map((instance) => instance.port));
        await once(balancer, "message");
      };
      let instances = await all([1, 2, 3].map(start));
      await tell(instances);
      clients = Promise.all(Array.from({ length: 20 }, () => client(port, outcomes, load.signal)));
      for (const old of instances) {
        old.child.kill("SIGTERM");
        // Readiness fails at once, though it is still serving, and it lives.
        for (let answer = 0; answer !== 503;) answer = await probe(old.probes, "/readyz");
        assert.deepEqual([await probe(old.probes, "/livez"), await probe(old.probes, "/startupz")], [200, 200]);
        await sleep(NOTICED_AFTER);
        const others = instances.filter((instance) => instance !== old);
        await tell(others);
        const { stdout, stderr, signal } = await old.ended;
        assert.deepEqual([signal, stderr], ["SIGTERM", ""]);
        const { leaving } = JSON.parse(stdout.split("\n").at(-2) as string) as { leaving: number };
        assert.ok(leaving > 10, `${leaving} requests were served after SIGTERM`);
        instances = [...others, await start()];
        await tell(instances);
      }
    } finally {
      load.abort();
      await clients;
      if (balancer.connected) balancer.disconnect();
      for (const { child } of started) child.kill("SIGTERM");
      await Promise.all(started.map(({ ended }) => ended));
    }
    assert.deepEqual(outcomes.failures, []);
    assert.ok(outcomes.answered > 500, `${outcomes.answered} requests`);
  }));

/** Asks again and again, over connections that are kept alive. */
async function client(port: number, outcomes: { answered: number; failures: string[] }, over: AbortSignal) {
  const agent = new Agent({ keepAlive: true });
  while (!over.aborted) {
    await new Promise<void>((resolve) => {
      const asked = get({ host: "127.0.0.1", port, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
        response.once("close", () => {
          if (response.statusCode === 200 && text.length === 2_000) outcomes.answered += 1;
          else outcomes.failures.push(`${response.statusCode} ${text.slice(0, 100)}`);
          resolve();
        });
      });
      asked.once("error", ({ message }) => {
        outcomes.failures.push(message);
        resolve();
      });
    });
  }
  agent.destroy();
}

/** Waits for all, and only then rejects: what has started besides one that failed is known, and can be ended. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

test("the grace period is the supervisor's, with a margin; the operator's stands over it", () =>
  inPlace(async (place) => {
    const source = `
      import { configure } from "atexit";
      import { start } from "atexit/app";
      await start("web", { dir: process.env.WORK, lock: false, log: false, quiet: true });
      console.log(configure({}).grace);`;
    for (const [env, grace] of [
      [{}, 10_000],
      [{ TERMINATION_GRACE_PERIOD_SECONDS: "30" }, 27_000],
      [{ TERMINATION_GRACE_PERIOD_SECONDS: "300" }, 295_000],
      [{ TERMINATION_GRACE_PERIOD_SECONDS: "5" }, 4_000],
      [{ TERMINATION_GRACE_PERIOD_SECONDS: "none" }, 10_000],
      [{ TERMINATION_GRACE_PERIOD_SECONDS: "30", ATEXIT_GRACE: "7s" }, 7_000],
    ] as const) {
      const { stdout, stderr } = await place.run(source, { env });
      assert.equal(stdout, `${grace}\n`, stderr);
    }
  }));
