// Listeners of `exit` and `beforeExit` that throw, exit, or begin work: the
// process ends as bare Node does, and the cleanups run once, when others' work
// has ended.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

interface Row {
  readonly name: string;
  /** What the program does once its cleanups are registered. */
  readonly body: string;
  /** Where it is not bare Node's: there nobody hears of the signal. */
  readonly status?: string;
  /** Whether the listeners are heard by bare Node, too. */
  readonly heard?: boolean;
}

const EXIT_THROWS = 'process.on("exit", () => { say("exit"); throw new Error("in a listener"); });';
const EXIT_EXITS = 'process.on("exit", () => { say("exit"); process.exit(5); });';

/** Does it at each `beforeExit`, so many times. */
const eachTime = (begin: string, times = 3) =>
  `let left = ${times}; process.on("beforeExit", () => { if (left-- > 0) { ${begin} } });`;

const rows: readonly Row[] = [
  { name: "an exit listener that throws after process.exit(0)", body: `${EXIT_THROWS} process.exit(0);` },
  { name: "an exit listener that throws after process.exit(3)", body: `${EXIT_THROWS} process.exit(3);` },
  { name: "an exit listener that throws after an uncaught error", body: `${EXIT_THROWS} throw new Error("first");` },
  { name: "an exit listener that throws at the natural end", body: EXIT_THROWS },
  {
    name: "an exit listener that throws on SIGTERM",
    body: `${EXIT_THROWS} stay(); process.kill(process.pid, "SIGTERM");`,
    status: "SIGTERM",
    heard: false,
  },
  { name: "an exit listener that exits after an uncaught error", body: `${EXIT_EXITS} throw new Error("first");` },
  ...["SIGTERM", "SIGUSR2"].map((signal) => ({
    name: `an exit listener that exits on ${signal}`,
    body: `${EXIT_EXITS} stay(); process.kill(process.pid, "${signal}");`,
    status: signal,
    heard: false,
  })),
  {
    name: "a beforeExit listener that each time sets an immediate which keeps nothing alive",
    body: eachTime("setImmediate(() => {}).unref();", 1e9),
  },
  {
    name: "a beforeExit listener that each time sets a timer which keeps nothing alive",
    body: eachTime("setTimeout(() => {}, 0).unref();", 1e9),
  },
  {
    name: "a beforeExit listener that each time runs a resource of its own",
    body: eachTime('new AsyncResource("mine").runInAsyncScope(() => {});', 1e9),
  },
  {
    name: "a beforeExit listener that each time awaits what is there already",
    body: eachTime("(async () => { await null; process.nextTick(() => {}); })();", 1e9),
  },
  { name: "a beforeExit listener that three times sets a timer", body: eachTime('setTimeout(() => say("work"), 20);') },
  {
    name: "a beforeExit listener that three times sets a short timer",
    body: eachTime('setTimeout(() => say("work"));'),
  },
  {
    name: "a beforeExit listener that three times sets an immediate",
    body: eachTime('setImmediate(() => say("work"));'),
  },
  {
    name: "a beforeExit listener that three times reads a file",
    body: eachTime('readFile("/dev/null", () => say("work"));'),
  },
  {
    name: "a beforeExit listener that three times asks for random bytes",
    body: eachTime('randomBytes(8, () => say("work"));'),
  },
  {
    name: "a beforeExit listener that three times starts a chain of work",
    body: eachTime('setImmediate(() => readFile("/dev/null", () => setTimeout(() => say("work"), 5)));'),
  },
];

const program = (cleanups: string, body: string) => `
  import { AsyncResource } from "node:async_hooks";
  import { randomBytes } from "node:crypto";
  import { readFile, writeSync } from "node:fs";
  import { register } from "atexit";
  const say = (word) => writeSync(1, word + "\\n");
  const stay = () => setTimeout(() => {}, 20_000);
  ${cleanups}
  ${body}`;

const CLEANUPS = {
  synchronous: 'for (const n of [1, 2]) register(() => say("cleanup " + n));',
  asynchronous:
    'for (const n of [1, 2]) register(async () => { await new Promise((resolve) => setTimeout(resolve, 2)); say("cleanup " + n); });',
  "not awaited": 'for (const n of [1, 2]) register({ timeout: 0 }, async () => say("cleanup " + n));',
};

describe("the last listeners", { concurrency: 3 }, () => {
  for (const { name, body, status, heard = true } of rows) {
    test(name, async () => {
      const bare = await runProgram(program("", body), { limit: 20_000 });
      for (const [kind, cleanups] of Object.entries(CLEANUPS)) {
        const ended = await runProgram(program(cleanups, body), { limit: 20_000 });
        const context = `${kind}; ${ended.stderr}`;
        assert.equal(statusOf(ended), status ?? statusOf(bare), context);
        const words = ended.stdout.split("\n");
        assert.deepEqual(
          words.filter((word) => word.startsWith("cleanup")),
          ["cleanup 2", "cleanup 1"],
          context,
        );
        const isOver = (word: string) => word === "work";
        assert.ok(
          words.findLastIndex(isOver) < words.indexOf("cleanup 2"),
          `others' work ends first: ${words} ${context}`,
        );
        if (heard) {
          const others = words.filter((word) => !word.startsWith("cleanup"));
          assert.deepEqual(others, bare.stdout.split("\n"), `others hear what they hear without it (${context})`);
        }
      }
    });
  }
});
