// What is said at the end of a shutdown: where ATEXIT_REPORT=1 asks for it, and
// unasked where it has passed its deadline.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf, withDirectory } from "../support/run.ts";

const HEAD = `
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { register } from "atexit";
`;

const WAYS = [
  ["", "the event loop was empty", "0"],
  ["process.exit(3);", "exit(3)", "3"],
  ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);", "SIGTERM", "SIGTERM"],
  ["setImmediate(() => { throw new Error('oh'); });", "uncaught exception", "1"],
  ["throw new Error('oh');", "unhandled rejection", "1"],
  ["Promise.reject(new Error('oh'));", "unhandled rejection", "1"],
] as const;

const run = (source: string, env: NodeJS.ProcessEnv) => runProgram(HEAD + source, { env: { ...process.env, ...env } });

describe("a report at the end", () => {
  for (const [leave, title, status] of WAYS) {
    it(`of ${title}: ${leave}`, async () => {
      const source = `register({ name: "sync" }, () => {}); register({ name: "async" }, () => sleep(20)); ${leave}`;
      const ended = await run(source, { ATEXIT_REPORT: "1" });
      const report = ended.stderr.slice(ended.stderr.indexOf("program.mjs (pid"));
      const [headline, summary] = report.split("\n");
      assert.ok(headline?.endsWith(`main thread): ${title}`), ended.stderr);
      assert.match(summary ?? "", /^took \d+ ms of a grace period of 10\.0 s; 2 cleanups$/);
      assert.match(report, /^ {2}async .*█.*\b\d+ ms\b|^ {2}async .*\b\d+ ms █/m);
      assert.match(report, /^ {2}sync +/m);
      // An uncaught error's own report stays the first.
      assert.equal(ended.stderr.indexOf("Error: oh") > ended.stderr.indexOf("program.mjs (pid"), false);
      assert.equal(statusOf(ended), status);
    });
  }

  it("is no longer than its lines may be, and has no colours where there is no terminal", async () => {
    const source = `register({ name: "n".repeat(300) }, () => sleep(5)); register({ name: "\\x1b[31m" }, () => { throw new Error("e".repeat(300)) });`;
    const { stderr } = await run(source, { ATEXIT_REPORT: "1", COLUMNS: "60" });
    const report = stderr.slice(stderr.indexOf("program.mjs (pid"));
    const [, , ...chart] = report.split("\n");
    // A word that is longer than a line stays whole.
    for (const text of chart.filter((each) => !each.includes("eeee"))) assert.ok([...text].length <= 60, text);
    assert.ok(!report.includes("\x1b"));
  });

  it("has one row for a lock: its release", async () => {
    await withDirectory(async (directory) => {
      const source = `import { lockFile } from "atexit/resources"; await lockFile(${JSON.stringify(join(directory, "lock"))});`;
      const { stderr } = await run(source, { ATEXIT_REPORT: "1", ATEXIT_DIR: join(directory, "journals") });
      assert.match(stderr, /; 1 cleanup\n/);
      assert.match(stderr, /^ {2}release /m);
      assert.doesNotMatch(stderr, /unlock/);
      assert.deepEqual(readdirSync(directory), ["journals"]);
    });
  });

  it("has one row for a scope whose cleanups ran one after the other, and theirs beneath it", async () => {
    const { stderr } = await run(
      `import { scope } from "atexit/scope";
       register({ name: "below" }, () => {});
       const tests = scope("tests");
       tests.register({ name: "dropped" }, () => sleep(30));
       const inner = tests.scope("inner");
       inner.register({ name: "fails" }, () => { throw new Error("boom"); });
       inner.register({ name: "closed" }, () => sleep(20));
       register({ name: "above" }, () => {});`,
      { ATEXIT_REPORT: "1" },
    );
    const report = stderr.slice(stderr.indexOf("program.mjs (pid"));
    const names = [...report.slice(0, report.indexOf("Blame")).matchAll(/^ {2}( *(?:└ )?\w+) +(?=.*[█▏▎▍▌▋▊▉])/gm)];
    assert.deepEqual(
      names.map(([, name]) => name),
      ["above", "tests", "└ inner", "  └ closed", "  └ fails", "└ dropped", "below"],
      report,
    );
    assert.match(report, /^ {2}tests .* (?:[5-9]\d|\d{3,}) ms failed/m);
    assert.match(report, /; 5 cleanups \(1 failed\)/);
  });

  it("has the rows of a scope where they were, where another cleanup ran between them", async () => {
    const { stderr } = await run(
      `import { scope } from "atexit/scope";
       const tests = scope("tests");
       tests.register({ name: "one" }, () => {});
       register({ name: "between" }, () => {});
       tests.register({ name: "two" }, () => {});`,
      { ATEXIT_REPORT: "1" },
    );
    assert.match(stderr, /^ {2}tests: two .*\n {2}between .*\n {2}tests: one /m);
  });

  it("is not printed unless it is asked for", async () => {
    for (const value of ["0", "", "off"]) {
      const { stderr } = await run("register(() => sleep(5));", { ATEXIT_REPORT: value });
      assert.equal(stderr, "");
    }
  });

  it("tells what a cleanup was waiting on, and where that was opened", async () => {
    const { stderr } = await run(
      `const server = createServer(() => {}).listen(0, "127.0.0.1");
        await once(server, "listening");
        get({ host: "127.0.0.1", port: server.address().port }).on("error", () => {});
        await once(server, "request");
        register({ name: "nothing", timeout: 100 }, () => new Promise(() => {}));
        register({ name: "child", timeout: 100 }, () => once(spawn("sleep", ["2"], { stdio: "ignore" }), "exit"));
        register({ name: "timer", timeout: 100 }, async () => { await sleep(1); await sleep(2000); });
        register({ name: "server", timeout: 100 }, () => new Promise((closed) => server.close(closed)));
        process.exit(0);`,
      { ATEXIT_REPORT: "1" },
    );
    const report = stderr.slice(stderr.indexOf("program.mjs (pid")).replace(/\n {9}/g, " ");
    const of = (name: string) =>
      new RegExp(`^  ${name} .*\\n((?: {6,}waiting on .*\\n)+)`, "m").exec(report)?.[1] ?? report;
    assert.match(
      of("server"),
      /waiting on nothing of its own; open besides: .*a connection from 127\.0\.0\.1:\d+ to port \d+/,
    );
    assert.match(of("timer"), /^ *waiting on a timer of 2000 ms, opened at file:.*program\.mjs:\d+:\d+\n$/);
    assert.match(of("child"), /^ *waiting on the child process \d+ \(sleep 2\), opened at .*program\.mjs:\d+:\d+\n$/);
    assert.doesNotMatch(of("nothing"), /child|timer/);
  });

  it("tells where a promise can never settle", async () => {
    // What is over is not what is waited for, however it was begun.
    const source = `
        import { randomBytes, scryptSync } from "node:crypto";
        import { readFileSync } from "node:fs";
        import { readFile } from "node:fs/promises";
        import { lookup } from "node:dns/promises";
        import { gzipSync } from "node:zlib";
        randomBytes(8); scryptSync("a", "b", 8); gzipSync("a"); readFileSync(process.execPath);
        await Promise.all([readFile(process.argv[1]), lookup("localhost"), sleep(1)]);
        setTimeout(() => {}, 60_000).unref();
        register({ name: "lost", timeout: 500 }, () => new Promise(() => {}));
        process.exit(0);`;
    const { stderr } = await run(source, { ATEXIT_REPORT: "1", COLUMNS: "120" });
    assert.match(stderr, /waiting on nothing that Node knows of/);
  });

  it("tells of one that blocks the event loop", async () => {
    const source = `register({ name: "spins", timeout: 50 }, () => { for (;;); }); process.exit(0);`;
    const { stderr } = await run(source, { ATEXIT_REPORT: "1" });
    assert.match(stderr, /waiting on its own code, which did not return/);
  });

  it("is printed unasked by a shutdown that passes its deadline, with what is open", async () => {
    const ended = await run(
      `register({ name: "below" }, () => new Promise(() => {}));
        register({ name: "hangs" }, () => once(spawn("sleep", ["2"], { stdio: "ignore" }), "exit"));
        register({ name: "quick" }, () => sleep(50));
        process.exit(0);`,
      { ATEXIT_GRACE: "800" },
    );
    assert.equal(statusOf(ended), "1");
    const report = ended.stderr.slice(ended.stderr.indexOf("program.mjs (pid"));
    assert.match(report, /given up after [\d.]+ m?s of a grace period of 800 ms; 3 cleanups \(2 given up\)/);
    assert.match(report, /^ {2}quick .*█.* \d+ ms/m);
    assert.match(report, /^ {2}hangs (?=.*█).*\d+ m?s given up/m);
    assert.match(report, /still open \(ATEXIT_REPORT=1.*\n {4}the child process \d+ \(sleep 2\)/);
  });

  it("is printed also where what is open cannot be shown", async () => {
    const source = `const server = createServer().listen(0, "127.0.0.1");
        await once(server, "listening");
        Object.defineProperty(server, "address", { get() { throw new Error("no address") } });
        register(() => new Promise(() => {}));
        process.exit(0);`;
    for (const env of [{ ATEXIT_GRACE: "100" }, { ATEXIT_GRACE: "100", ATEXIT_REPORT: "1", COLUMNS: "200" }]) {
      const ended = await run(source, env);
      assert.match(ended.stderr, /something that cannot be shown/);
      assert.equal(statusOf(ended), "1");
    }
  });

  it("is printed once where it was asked for and the deadline has passed", async () => {
    const { stderr } = await run(`register(() => new Promise(() => {})); process.exit(0);`, {
      ATEXIT_GRACE: "100",
      ATEXIT_REPORT: "1",
    });
    assert.equal(stderr.split("program.mjs (pid").length, 2, stderr);
  });

  it("stays away where no time was given to wait, and where each had a timeout of its own", async () => {
    for (const env of [{ ATEXIT_GRACE: "0" }, { ATEXIT_TIMEOUT: "50" }, { ATEXIT_PROCESS_EXIT: "sync" }]) {
      const { stderr } = await run(`register(() => new Promise(() => {})); process.exit(0);`, env);
      assert.doesNotMatch(stderr, /program\.mjs \(pid/);
    }
  });
});
