// Programs of other packages' users, with the package's own module and with the
// one here in its place: they print the same and end with the same status.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { describe, test } from "node:test";
import { isFromSources } from "../support/package-under-test.ts";
import { evaluate, runProgram } from "../support/program.ts";
import { printed, statusOf } from "../support/run.ts";

interface Row {
  readonly name: string;
  readonly source: string;
  /** What it is sent when it is ready. */
  readonly signals?: readonly NodeJS.Signals[];
  /** What it prints here, where that is more than the peer's. */
  readonly better?: string;
}

const STAY = "setTimeout(() => {}, 20_000); setImmediate(() => console.log('ready'));";
const SLEEP = "const sleep = (ms) => new Promise((ended) => setTimeout(ended, ms));";

const EXIT_HOOK = `${SLEEP}
  import exitHook, { asyncExitHook, gracefulExit } from "PEER";
  const first = (code) => console.log("first", code);
  exitHook(first);
  exitHook(first);
  exitHook((code) => console.log("second", code));
  const remove = exitHook(() => console.log("never"));
  remove();`;

const exitHook: Row[] = [
  { name: "the natural end, with an exit code", source: `${EXIT_HOOK} process.exitCode = 4;` },
  { name: "process.exit(3)", source: `${EXIT_HOOK} process.exit(3);` },
  { name: "an uncaught error", source: `${EXIT_HOOK} throw new Error("boom");` },
  { name: "SIGTERM", source: `${EXIT_HOOK} ${STAY}`, signals: ["SIGTERM"] },
  { name: "SIGINT", source: `${EXIT_HOOK} ${STAY}`, signals: ["SIGINT"] },
  {
    name: "asynchronous hooks on SIGTERM, side by side",
    source: `${EXIT_HOOK}
      asyncExitHook(async (code) => { await sleep(30); console.log("slow", code); }, { wait: 5_000 });
      asyncExitHook(async (code) => { await sleep(1); console.log("quick", code); }, { wait: 10 });
      ${STAY}`,
    signals: ["SIGTERM"],
  },
  {
    name: "gracefulExit(5) waits for them, and no longer than the longest wait",
    source: `${EXIT_HOOK}
      asyncExitHook(async (code) => { await sleep(10_000); console.log("never"); }, { wait: 50 });
      asyncExitHook((code) => console.log("not asynchronous", code), { wait: 10 });
      gracefulExit(5); console.log("begun");`,
  },
  { name: "gracefulExit() without hooks that wait", source: `${EXIT_HOOK} process.exitCode = 2; gracefulExit();` },
  {
    name: "process.exit() does not wait for them; here it does",
    source: `${EXIT_HOOK} asyncExitHook(async () => { await sleep(5); console.log("waited"); }, { wait: 500 }); process.exit();`,
    better: "first 0\nsecond 0\nwaited\n",
  },
  {
    name: "what no hook is",
    source: `${EXIT_HOOK}
      for (const call of [() => exitHook(1), () => asyncExitHook(1, { wait: 1 }), () => asyncExitHook(() => {}, {}), () => asyncExitHook(() => {})]) {
        try { call(); } catch (error) { console.log(error.name, error.message); }
      }`,
  },
];

const ASYNC_EXIT_HOOK = `
  import exitHook from "PEER";
  exitHook(() => console.log("first"));
  exitHook((done) => setTimeout(() => { console.log("slow"); done(); }, 250));
  exitHook((done) => setTimeout(() => { console.log("quick"); done(); }, 1));`;

const asyncExitHook: Row[] = [
  { name: "the natural end", source: ASYNC_EXIT_HOOK },
  { name: "SIGTERM", source: `${ASYNC_EXIT_HOOK} ${STAY}`, signals: ["SIGTERM"] },
  { name: "SIGHUP", source: `${ASYNC_EXIT_HOOK} ${STAY}`, signals: ["SIGHUP"] },
  {
    name: "a signal that is no longer hooked",
    source: `${ASYNC_EXIT_HOOK} exitHook.unhookEvent("SIGINT"); ${STAY}`,
    signals: ["SIGINT"],
  },
  {
    name: "hookedEvents()",
    source: `${ASYNC_EXIT_HOOK} exitHook.unhookEvent("SIGHUP"); exitHook.hookEvent("SIGUSR2", 9); console.log(exitHook.hookedEvents()); `,
  },
  {
    name: "an event that was hooked",
    source: `${ASYNC_EXIT_HOOK} exitHook.hookEvent("SIGUSR2", 9); ${STAY}`,
    signals: ["SIGUSR2"],
  },
  {
    name: "an event of the program's own",
    source: `${ASYNC_EXIT_HOOK} exitHook.hookEvent("over", 6); ${STAY} setTimeout(() => process.emit("over"), 20);`,
  },
  {
    name: "a filter",
    source: `${ASYNC_EXIT_HOOK} exitHook.hookEvent("over", 6, (n) => n < 2); ${STAY} for (const n of [1, 2]) setTimeout(() => { console.log(n); process.emit("over", n); }, 20 * n);`,
  },
  {
    name: "forceExitTimeout()",
    source: `import exitHook from "PEER"; exitHook.forceExitTimeout(30); exitHook((done) => {}); ${STAY}`,
    signals: ["SIGTERM"],
  },
  {
    name: "an uncaught error: its hooks come first",
    source: `${ASYNC_EXIT_HOOK}
      exitHook.uncaughtExceptionHandler((error) => console.log("error", error.message));
      exitHook.uncaughtExceptionHandler((error, done) => setTimeout(() => { console.log("error later"); done(); }, 100));
      throw new Error("boom");`,
  },
  {
    name: "an uncaught error: listeners of the program's own are called, too; here before its hooks",
    source: `import exitHook from "PEER";
      exitHook.uncaughtExceptionHandler((error) => console.log("error", error.message));
      process.on("uncaughtException", (error) => console.log("own", error.message));
      process.on("exit", (code) => console.log("over", code));
      throw new Error("boom");`,
    better: "own boom\nerror boom\nover 1\n",
  },
  {
    name: "an unhandled rejection: its hooks come first",
    source: `${ASYNC_EXIT_HOOK}
      exitHook.unhandledRejectionHandler((error, done) => setTimeout(() => { console.log("error", error.message); done(); }, 5));
      Promise.reject(new Error("boom"));`,
  },
  {
    name: "process.exit(3) does not wait; here it does",
    source: `${ASYNC_EXIT_HOOK} process.exit(3);`,
    better: "first\nquick\nslow\n",
  },
];

const CLOSE = (options: string, body: string) => `${SLEEP}
  import closeWithGrace from "PEER";
  const handle = closeWithGrace(${options} async ({ err, signal, manual }) => {
    console.log("called", err?.message, signal, manual, closeWithGrace.closing);
    ${body}
  });
  console.log(closeWithGrace.closing);`;

const closeWithGrace: Row[] = [
  { name: "the natural end", source: CLOSE("", 'await sleep(5); console.log("closed");') },
  { name: "SIGTERM", source: CLOSE("", "await sleep(5);") + STAY, signals: ["SIGTERM"] },
  { name: "SIGUSR2", source: CLOSE("", "await sleep(5);") + STAY, signals: ["SIGUSR2"] },
  { name: "an uncaught error", source: `${CLOSE("", "await sleep(5);")} throw new Error("boom");` },
  { name: "an unhandled rejection", source: `${CLOSE("", "await sleep(5);")} Promise.reject(new Error("boom"));` },
  {
    name: "an uncaught error: listeners of the program's own are called, too",
    source: `${CLOSE("", "await sleep(5);")}
      process.on("uncaughtException", (error) => console.log("own", error.message));
      throw new Error("boom");`,
  },
  { name: "close()", source: `${CLOSE("", "await sleep(5);")} handle.close(); console.log("begun");` },
  { name: "uninstall()", source: `${CLOSE("", "")} handle.uninstall(); ${STAY}`, signals: ["SIGTERM"] },
  { name: "skip", source: CLOSE('{ skip: ["SIGTERM", "beforeExit"] },', "") + STAY, signals: ["SIGTERM"] },
  { name: "skip of the natural end", source: CLOSE('{ skip: ["beforeExit"] },', "") },
  { name: "a rejection of its own", source: CLOSE("", 'throw new Error("mine");') + STAY, signals: ["SIGTERM"] },
  {
    name: "a timeout",
    source: CLOSE("{ delay: 30, onTimeout: (ms) => console.log('late', ms) },", "await sleep(20_000);") + STAY,
    signals: ["SIGTERM"],
  },
  {
    name: "a second signal",
    source:
      CLOSE(
        "{ onSecondSignal: (signal) => console.log('second', signal) },",
        'console.log("ready"); await sleep(20_000);',
      ) + STAY,
    signals: ["SIGTERM", "SIGINT"],
  },
  {
    name: "a second error",
    source:
      CLOSE(
        "{ onSecondError: (error) => console.log('second', error.message) },",
        'setTimeout(() => { throw new Error("next"); }); await sleep(20_000);',
      ) + STAY,
    signals: ["SIGTERM"],
  },
  {
    name: "a callback, with an error",
    source: `import closeWithGrace from "PEER"; closeWithGrace({ logger: { error: (e) => console.log("logged", e) } }, (reason, done) => setTimeout(done, 5, "mine"));`,
  },
  {
    name: "process.exit(3) does not call it; here it does",
    source: `${CLOSE("", 'await sleep(5); console.log("closed");')} process.exit(3);`,
    better: "false\ncalled undefined undefined undefined true\nclosed\n",
  },
];

/** Sends the signals one after the other, each when the program says once more that it is ready. */
async function send(child: ChildProcess, signals: readonly NodeJS.Signals[]): Promise<void> {
  for (const signal of signals) {
    await printed(child, "ready\n");
    child.kill(signal);
  }
}

test("close-with-grace's uninstall() gives back what it has set for all of the process", async () => {
  const { stdout, stderr } = await runProgram(`
    import { configure } from "atexit";
    import closeWithGrace from "atexit/compat/close-with-grace";
    const before = JSON.stringify(configure({}));
    const one = closeWithGrace({ delay: 60_000 }, async () => {});
    const { grace, doubledWithin } = configure({});
    one.uninstall();
    console.log(grace, doubledWithin, JSON.stringify(configure({})) === before, configure({}).onSecondSignal);
    const mine = () => {};
    const other = closeWithGrace({}, async () => {});
    configure({ onSecondSignal: mine, grace: 5_000 }); // the program's own word stays
    other.uninstall();
    console.log(configure({}).grace, configure({}).onSecondSignal === mine);`);
  assert.equal(stdout, "61000 0 true undefined\n5000 true\n", stderr);
});

const compared = { "exit-hook": exitHook, "async-exit-hook": asyncExitHook, "close-with-grace": closeWithGrace };

for (const [peer, rows] of Object.entries(compared)) {
  describe(`atexit/compat/${peer}`, { concurrency: 3 }, () => {
    for (const { name, source, signals = [], better } of rows) {
      test(name, async () => {
        const act = signals.length === 0 ? {} : { act: (child: ChildProcess) => send(child, signals) };
        const program = (module: string) => runProgram(source.replace("PEER", module), { ...act, limit: 20_000 });
        const [theirs, ours] = [await program(peer), await program(`atexit/compat/${peer}`)];
        assert.doesNotMatch(theirs.stderr, /ERR_MODULE_NOT_FOUND/);
        assert.equal(ours.stdout, better ?? theirs.stdout, ours.stderr);
        assert.equal(statusOf(ours), statusOf(theirs), ours.stderr);
      });
    }
  });
}

describe(
  "each is required, and imported, as its package is",
  { skip: isFromSources && "what is required is built" },
  () => {
    for (const peer of ["exit-hook", "async-exit-hook", "close-with-grace", "tmp"]) {
      test(peer, async () => {
        const shape = `Object.entries(module).map(([name, value]) => [name, typeof value]).filter(([name]) => !/^(default|module\\.exports|__esModule|tmpdir)$/.test(name)).sort()`;
        const imported = (name: string) =>
          evaluate(`import * as module from "${name}"; console.log(typeof module.default, ${shape});`);
        const ours = await imported(`atexit/compat/${peer}`);
        assert.equal(ours.stderr, "");
        if (peer !== "async-exit-hook" && peer !== "close-with-grace")
          assert.equal(ours.stdout, (await imported(peer)).stdout);
        if (peer === "exit-hook") return; // an ES module only
        const required = (name: string) =>
          runProgram(
            `const module_ = require("${name}"); console.log(typeof module_, ${shape.replace("(module)", "(module_)")}, typeof module_.tmpdir);`,
            { file: "program.cjs" },
          );
        assert.equal((await required(`atexit/compat/${peer}`)).stdout, (await required(peer)).stdout);
      });
    }
  },
);
