// What a program is told in process: the two tracing channels.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inPlace } from "../support/place.ts";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

/** Prints each event, on file descriptor 1 and at once: what comes late may be lost. */
const WATCH = `
import { tracingChannel } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { exiting, register } from "atexit";
const say = (text) => writeSync(1, text + "\\n");
const watch = (name, of) => tracingChannel("atexit:" + name).subscribe(
  Object.fromEntries(["start", "end", "asyncStart", "asyncEnd", "error"].map((event) =>
    [event, (about) => say([of(about), event, about.outcome ?? "-"].join(" "))])));
watch("shutdown", ({ exit }) => "shutdown " + exit.kind);
watch("cleanup", ({ name }) => name);
`;

interface Row {
  readonly name: string;
  readonly source: string;
  readonly told: readonly string[];
  readonly status?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const rows: readonly Row[] = [
  {
    name: "synchronous cleanups end at `end`",
    source: `register(function a() { say("in a") }); process.exit(4);`,
    told: ["shutdown exit start -", "a start -", "in a", "a end ok", "shutdown exit end ok"],
    status: "4",
  },
  {
    name: "asynchronous ones at `asyncEnd`, before the next one starts",
    source: `register(async function b() { await sleep(1) }); register(async function a() { await sleep(1) });`,
    told: [
      "shutdown end start -",
      "a start -",
      "a end -",
      "shutdown end end -",
      "a asyncStart ok",
      "a asyncEnd ok",
      "b start -",
      "b end -",
      "b asyncStart ok",
      "b asyncEnd ok",
      "shutdown end asyncStart ok",
      "shutdown end asyncEnd ok",
    ],
  },
  {
    name: "a throw and a rejection",
    source: `register(function b() { throw new Error("b") }); register(async function a() { throw new Error("a") });`,
    told: [
      "shutdown end start -",
      "a start -",
      "a end -",
      "shutdown end end -",
      "a error failed",
      "a asyncStart failed",
      "a asyncEnd failed",
      "b start -",
      "b error failed",
      "b end failed",
      "shutdown end asyncStart failed",
      "shutdown end asyncEnd failed",
    ],
    status: "1",
  },
  {
    name: "exit(n) in a cleanup is no failure",
    source: `register(function a() { process.exit(5) }); `,
    told: ["shutdown end start -", "a start -", "a end ok", "shutdown end end ok"],
    status: "5",
  },
  {
    name: "a timeout of its own",
    source: `register({ name: "a", timeout: 500 }, () => new Promise(() => {}));`,
    told: [
      "shutdown end start -",
      "a start -",
      "a end -",
      "shutdown end end -",
      "a asyncStart timed out",
      "a asyncEnd timed out",
      "shutdown end asyncStart failed",
      "shutdown end asyncEnd failed",
    ],
    status: "1",
  },
  {
    name: "the grace period's end, and what is called then",
    source: `register({ name: "b" }, () => new Promise(() => {})); register({ name: "a" }, () => new Promise(() => {}));`,
    env: { ATEXIT_GRACE: "500" },
    told: [
      "shutdown end start -",
      "a start -",
      "a end -",
      "shutdown end end -",
      "a asyncStart given up",
      "a asyncEnd given up",
      "b start -",
      "b end -",
      "b asyncStart given up",
      "b asyncEnd given up",
      "shutdown end asyncStart given up",
      "shutdown end asyncEnd given up",
    ],
    status: "1",
  },
  {
    name: "one that blocks the event loop",
    source: `register({ name: "b" }, () => {}); register({ name: "a", timeout: 50 }, () => { for (;;); });`,
    told: ["shutdown end start -", "a start -", "a end timed out", "b start -", "b end ok", "shutdown end end failed"],
    status: "1",
  },
  {
    name: "a durable cleanup that is given up is left to the guard",
    source: `import { exec } from "atexit/durable"; exec("sleep", ["5"]);`,
    env: { ATEXIT_GRACE: "1000", ATEXIT_GUARD: "off" }, // less than a spawn takes on a busy machine stops that
    told: [
      "shutdown end start -",
      "exec sleep 5 start -",
      "exec sleep 5 end -",
      "shutdown end end -",
      "exec sleep 5 asyncStart left to the guard",
      "exec sleep 5 asyncEnd left to the guard",
      "shutdown end asyncStart given up",
      "shutdown end asyncEnd given up",
    ],
    status: "1",
  },
  {
    name: "run() by the program is a cleanup, and no shutdown",
    source: `const a = register(async function a() { await sleep(1) }); await a.run();
      const b = register(function b() {}); b.run();`,
    told: ["a start -", "a end -", "a asyncStart ok", "a asyncEnd ok", "b start -", "b end ok"],
  },
  {
    name: "a cleanup that runs another one",
    source: `const inner = register(async function inner() { await sleep(1) });
      register(async function outer() { await inner.run() });`,
    told: [
      "shutdown end start -",
      "outer start -",
      "inner start -",
      "inner end -",
      "outer end -",
      "shutdown end end -",
      "inner asyncStart ok",
      "inner asyncEnd ok",
      "outer asyncStart ok",
      "outer asyncEnd ok",
      "shutdown end asyncStart ok",
      "shutdown end asyncEnd ok",
    ],
  },
  {
    name: "the shutdown is told before `exiting` fires",
    source: `exiting.addEventListener("abort", () => say("exiting")); register(function a() {});`,
    told: ["shutdown end start -", "exiting", "a start -", "a end ok", "shutdown end end ok"],
  },
  {
    name: "a second Ctrl-C",
    source: `register({ name: "b" }, () => {});
      register({ name: "a" }, () => new Promise(() => {
        setTimeout(() => process.kill(process.pid, "SIGINT"), 700);
      }));
      process.kill(process.pid, "SIGINT"); setInterval(() => {}, 1000);`,
    told: [
      "shutdown signal start -",
      "a start -",
      "a end -",
      "shutdown signal end -",
      "a asyncStart given up",
      "a asyncEnd given up",
      "shutdown signal asyncStart given up",
      "shutdown signal asyncEnd given up",
    ],
    status: "SIGINT",
  },
];

describe("tracing channels", () => {
  for (const { name, source, told, status = "0", env } of rows) {
    it(name, () =>
      inPlace(async (place) => {
        const ended = await place.run(WATCH + source, { env: env ?? {} });
        assert.deepEqual(ended.stdout.trim().split("\n"), told, ended.stderr);
        assert.equal(statusOf(ended), status);
      }),
    );
  }

  it("a subscriber is given all that is known of them", async () => {
    const { stdout } = await runProgram(
      `import { tracingChannel } from "node:diagnostics_channel";
        import { register } from "atexit";
        const seen = [];
        tracingChannel("atexit:shutdown").subscribe({ start: (shutdown) => seen.push(shutdown) });
        tracingChannel("atexit:cleanup").subscribe({ start: (cleanup) => seen.push(cleanup) });
        register({ name: "below" }, () => {
          const [shutdown, above, below] = seen;
          console.log(JSON.stringify({
            kind: shutdown.exit.kind,
            grace: shutdown.grace,
            left: Math.round((shutdown.deadline - Date.now()) / 1000),
            queue: shutdown.queue.map(({ name }) => name),
            isSame: shutdown.queue[0] === above && above.shutdown === shutdown,
            site: /program.mjs:\\d+:\\d+/.test(below.site),
            outcomes: [above.outcome, String(below.outcome)],
            times: [below.startedAt, below.deadline].map((time) => Math.round((time - Date.now()) / 1000)),
          }));
        });
        register({ name: "above", timeout: 3000 }, () => {});
        process.exit(3);`,
    );
    assert.deepEqual(JSON.parse(stdout), {
      kind: "exit",
      grace: 10_000,
      left: 10,
      queue: ["above", "below"],
      isSame: true,
      site: true,
      outcomes: ["ok", "undefined"],
      times: [0, 10],
    });
  });

  it("what a recovery carries out for a dead process is told as a cleanup", () =>
    inPlace(async (place) => {
      const env = { ATEXIT_GUARD: "off" };
      const source = `import { exec, remove } from "atexit/durable";
          remove(process.env.WORK + "/file");
          exec("false", []);
          process.kill(process.pid, "SIGKILL");`;
      await place.run(source, { env });
      const { stdout } = await place.run(`${WATCH} import { recover } from "atexit/durable"; await recover();`, {
        env,
      });
      assert.deepEqual(stdout.trim().split("\n"), [
        "exec false start -",
        "exec false end -",
        "exec false error failed",
        "exec false asyncStart failed",
        "exec false asyncEnd failed",
        `remove ${place.work}/file start -`,
        `remove ${place.work}/file end -`,
        `remove ${place.work}/file asyncStart done at the next start`,
        `remove ${place.work}/file asyncEnd done at the next start`,
      ]);
    }));

  it("a store that is bound to the start of a cleanup is there in all of it, and not in the next", async () => {
    const { stdout } = await runProgram(
      `import { AsyncLocalStorage } from "node:async_hooks";
        import { tracingChannel } from "node:diagnostics_channel";
        import { setTimeout as sleep } from "node:timers/promises";
        import { register } from "atexit";
        const storage = new AsyncLocalStorage();
        tracingChannel("atexit:cleanup").start.bindStore(storage, ({ name }) => name);
        register({ name: "b" }, async () => { await sleep(1); console.log("b", storage.getStore()) });
        register({ name: "a" }, async () => { await sleep(1); console.log("a", storage.getStore()) });`,
    );
    assert.equal(stdout, "a a\nb b\n");
  });

  it("a subscriber that throws spoils nothing but the status", async () => {
    const { stdout, stderr, ...ended } = await runProgram(
      `import { tracingChannel } from "node:diagnostics_channel";
        import { register } from "atexit";
        tracingChannel("atexit:cleanup").subscribe({ start() { throw new Error("the subscriber's") } });
        register(async () => { await new Promise((f) => setTimeout(f, 5)); console.log("b") });
        register(async () => { await new Promise((f) => setTimeout(f, 5)); console.log("a") });`,
    );
    assert.equal(stdout, "a\nb\n");
    assert.match(stderr, /the subscriber's/);
    assert.equal(statusOf(ended), "1");
  });
});
