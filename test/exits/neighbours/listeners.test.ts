// After a signal, whatever else listens to it, the process ends as it would have
// without the package, its cleanups done: nobody waits for somebody who waits.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isLong } from "../../support/long.ts";
import { runProgram } from "../../support/program.ts";
import { printed, statusOf } from "../../support/run.ts";

/** What listens to SIGTERM, by the reaction. */
const kinds: Readonly<Record<string, string>> = {
  "one that exits": 'process.on("SIGTERM", () => process.exit(5));',
  "one that exits later": 'process.on("SIGTERM", () => setTimeout(() => process.exit(6), 50));',
  "one that exits once": 'process.once("SIGTERM", () => process.exit(7));',
  "one that exits if nobody else listens":
    'process.once("SIGTERM", () => process.listenerCount("SIGTERM") || process.exit(0));',
  "one that exits if it is alone":
    'process.on("SIGTERM", () => { if (process.listeners("SIGTERM").length === 1) process.exit(8); });',
  "one that sends it again":
    'process.on("SIGTERM", function again() { process.off("SIGTERM", again); process.kill(process.pid, "SIGTERM"); });',
  "one that does nothing": 'process.on("SIGTERM", () => {});',
};

/** The status of a process that a signal has not ended. */
const STAYED = 77;

const CLEANUPS = `
  import { register } from "atexit";
  register(() => console.log("synchronous"));
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 20)); console.log("asynchronous"); });`;

async function ended(source: string): Promise<{ status: string; stdout: string; stderr: string }> {
  const stay = `setTimeout(() => process.reallyExit(${STAYED}), 800); console.log("ready");`;
  const { stdout, stderr, ...how } = await runProgram(`${source} ${stay}`, {
    async act(child) {
      await printed(child, "ready\n");
      child.kill("SIGTERM");
    },
  });
  return { status: statusOf(how), stdout: stdout.replace("ready\n", ""), stderr };
}

const names = Object.keys(kinds);
/** Those that come second: all of them, or the next one. */
const secondTo = (n: number) => (isLong ? names : names.slice((n + 1) % names.length).slice(0, 1));
const mixes = [
  ...names.map((name) => [name]),
  ...names.flatMap((first, n) => secondTo(n).map((second) => [first, second])),
];

describe("a signal, and who listens to it", { concurrency: 4 }, () => {
  for (const mix of mixes) {
    test(mix.join(", and "), async () => {
      const listeners = mix.map((name) => kinds[name]).join("\n");
      const bare = await ended(listeners);
      for (const source of [`${CLEANUPS}\n${listeners}`, `${listeners}\n${CLEANUPS}`]) {
        const { status, stdout, stderr } = await ended(source);
        assert.equal(status, bare.status, stderr);
        const expected = status === String(STAYED) ? "" : "asynchronous\nsynchronous\n";
        assert.equal(stdout, expected, `${status} ${stderr}`);
      }
    });
  }
});

describe("listeners that only send off what they have, and leave the end to others", () => {
  for (const [name, listener] of [
    [
      "OpenTelemetry's auto-instrumentations",
      `const sdk = { shutdown: async () => {} }; const diag = { debug() {}, error() {} };
       async function shutdown() {
         try { await sdk.shutdown(); diag.debug("OpenTelemetry SDK terminated"); }
         catch (error) { diag.error("Error terminating OpenTelemetry SDK", error); }
       }
       process.on("SIGTERM", shutdown);`,
    ],
    [
      "Sentry's on Vercel",
      `const client = { flush: async () => {} };
       process.on("SIGTERM", async () => {
         // It has half a second.
         await client.flush(200);
       });`,
    ],
  ] as const) {
    test(name, async () => {
      const { status, stdout, stderr } = await ended(`${CLEANUPS}\n${listener}`);
      assert.deepEqual([status, stdout, stderr], ["SIGTERM", "asynchronous\nsynchronous\n", ""]);
    });
  }

  test("and one of the program's own that does the same and more decides", async () => {
    const listener = `const client = { flush: async () => {} };
      process.on("SIGTERM", async () => { await client.flush(200); process.exit(4); });`;
    const { status } = await ended(`${CLEANUPS}\n${listener}`);
    assert.equal(status, "4");
  });
});
