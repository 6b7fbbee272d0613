// process.exit() while cleanups have to be waited for: whoever catches what unwinds it,
// and prints or records whatever is caught, prints and records nothing, as without this
// package, where nobody lived to catch anything.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";

/** A cleanup that takes until the next turn of the loop but one, and says so past all of Node's output. */
const CLEANUP = `
  import { register } from "atexit";
  import { writeSync } from "node:fs";
  register(() => new Promise((resolve) => setTimeout(resolve, 50)).then(() => writeSync(1, "cleaned up\\n")));
`;

/** Calls process.exit(3) in a request's handler, and tells how the request went. */
const ASK = `const ask = (server) => fetch("http://127.0.0.1:" + server.address().port).catch(() => {});`;

const inCatch = (clause: string, before = "") =>
  `${before} (async () => { try { await null; process.exit(3); } catch (error) { ${clause} } })();`;

const silent: Readonly<Record<string, string>> = {
  "main().then(() => process.exit()).catch(console.error)":
    "const main = async () => { await null; }; main().then(() => process.exit(3)).catch(console.error);",
  "main().catch(console.error), where main exits":
    "const main = async () => { await null; process.exit(3); }; main().catch(console.error);",
  "a catch that exits once more": inCatch("console.error(error); process.exit(1);"),
  "console.error(error.message)": inCatch("console.error(error.message);"),
  "console.error(error.stack)": inCatch("console.error(error.stack);"),
  "String(error)": inCatch("console.error(`failed: ${error}`);"),
  "%s": inCatch('console.error("failed: %s", error);'),
  "JSON.stringify()": inCatch("console.error(JSON.stringify({ error }));"),
  "an error with a cause": inCatch('console.error(new Error("failed", { cause: error }));'),
  "an error thrown for it, in a promise": inCatch('throw new Error("failed", { cause: error });'),
  "an error thrown for it, at once":
    'setTimeout(() => { try { process.exit(3); } catch (error) { throw new Error("failed"); } });',
  "a catch at the top of a module": "try { process.exit(3); } catch (error) { console.error(error); }",
  "a finally that fails": "setTimeout(() => { try { process.exit(3); } finally { null.x; } });",
  "a loop that tries again": `
    (async () => { for (let n = 0; n < 3; n += 1) try { await null; process.exit(3); } catch (error) { console.error(n, error); } })();`,
  "listeners of what is uncaught": `
    process.on("uncaughtException", console.error).on("unhandledRejection", console.error);
    setTimeout(() => process.exit(3));`,
  "pino, the error itself": inCatch('log.error(error, "failed");', 'import pino from "pino"; const log = pino();'),
  "pino, { err }": inCatch('log.error({ err: error }, "failed");', 'import pino from "pino"; const log = pino();'),
  "winston, the error itself": inCatch(
    "log.error(error);",
    `import winston from "winston";
    const log = winston.createLogger({ transports: [new winston.transports.Console()] });`,
  ),
  "winston, in a field": inCatch(
    'log.error("failed", { error });',
    `import winston from "winston";
    const log = winston.createLogger({ transports: [new winston.transports.Console()] });`,
  ),
  "Express, its own handler": `
    import express from "express"; ${ASK}
    const app = express().get("/", async () => { await null; process.exit(3); });
    const server = app.listen(0, "127.0.0.1", () => ask(server));`,
  "Express, a middleware that logs": `
    import express from "express"; ${ASK}
    const app = express().get("/", () => process.exit(3));
    app.use((error, request, response, next) => { console.error(error.stack); response.status(500).send("broken"); });
    const server = app.listen(0, "127.0.0.1", () => ask(server));`,
  "Fastify, its own handler and logger": `
    import fastify from "fastify"; ${ASK}
    const app = fastify({ logger: { level: "error" } }).get("/", async () => { await null; process.exit(3); });
    await app.listen({ port: 0, host: "127.0.0.1" }); void ask(app.server);`,
  "Nest, a filter that logs": `
    import "reflect-metadata";
    import { Catch, Controller, Get, Module } from "@nestjs/common"; import { NestFactory } from "@nestjs/core"; ${ASK}
    class Routes { async root() { await null; process.exit(3); } }
    Controller()(Routes);
    Get("/")(Routes.prototype, "root", Object.getOwnPropertyDescriptor(Routes.prototype, "root"));
    class App {} Module({ controllers: [Routes] })(App);
    class Filter { catch(error, host) { console.error("failed", error); host.switchToHttp().getResponse().status(500).end(); } }
    Catch()(Filter);
    const app = await NestFactory.create(App, { logger: ["error"] });
    app.useGlobalFilters(new Filter());
    await app.listen(0, "127.0.0.1"); void ask(app.getHttpServer());`,
};

describe("process.exit(), where what is caught is printed", { concurrency: 2 }, () => {
  for (const [name, source] of Object.entries(silent)) {
    test(`nothing is printed: ${name}`, async () => {
      const { stdout, stderr, code } = await runProgram(CLEANUP + source);
      assert.deepEqual({ stdout, stderr, code }, { stdout: "cleaned up\n", stderr: "", code: 3 });
    });
  }

  test("a catch that does not look at the error goes on, and one that knows it reads its code", async () => {
    const { stdout, stderr, code } = await runProgram(`${CLEANUP}
      import { SystemExit } from "atexit";
      try { process.exit(3); } catch (error) { console.log(error instanceof SystemExit, error instanceof Error, error.name, error.code); }`);
    assert.deepEqual([stdout, stderr, code], ["true true SystemExit 3\ncleaned up\n", "", 3]);
  });

  const takers = {
    "a capture callback": "process.setUncaughtExceptionCaptureCallback((error) => console.log(error.message));",
    "what is in front of Node's own function": `
      const handle = process._fatalException;
      process._fatalException = (error, ...rest) => { console.log(error.message); return handle(error, ...rest); };`,
    "a domain": `
      import domain from "node:domain";
      const one = domain.create(); one.on("error", (error) => console.log(error.message)); one.enter();`,
  };
  for (const [name, source] of Object.entries(takers)) {
    test(`where whatever is thrown ends the process at once, an uncaught one can be looked at: ${name}`, async () => {
      const { stdout, stderr, code } = await runProgram(`${CLEANUP}${source}
        setTimeout(() => { try { process.exit(3); } catch (error) { console.error(error); } });`);
      assert.deepEqual([stderr, code], ["", 3]);
      assert.match(stdout, /^The process is exiting with code 3\..*\ncleaned up\n$/);
    });
  }

  test("streams that it passes through are destroyed", async () => {
    const { stdout, stderr, code } = await runProgram(`${CLEANUP}
      import { createWriteStream } from "node:fs";
      import { Readable } from "node:stream";
      import { finished, pipeline } from "node:stream/promises";
      const file = createWriteStream("/dev/null");
      register(() => finished(file).catch((error) => console.log(error.name)));
      pipeline(Readable.from([1]), async function* () { await null; process.exit(3); yield 1; }, file).catch(console.error);`);
    assert.deepEqual([stdout, stderr, code], ["SystemExit\ncleaned up\n", "", 3]);
  });

  test("what fails in a cleanup, in the same turn as well, is told", async () => {
    const { stdout, stderr, code } = await runProgram(`${CLEANUP}
      register(async () => { void Promise.reject(new Error("dropped")); });
      setTimeout(() => process.exit(0));`);
    assert.equal(stdout, "cleaned up\n");
    assert.match(stderr, /Error: dropped/);
    assert.equal(code, 1);
  });

  test("what fails in a later turn is told", async () => {
    const { stdout, stderr, code } = await runProgram(`${CLEANUP}
      setTimeout(() => { setTimeout(() => { throw new Error("later"); }, 5); process.exit(0); });`);
    assert.equal(stdout, "cleaned up\n");
    assert.match(stderr, /Error: later/);
    assert.equal(code, 1);
  });

  const wrapped = 'try { process.exit(4); } catch (error) { throw new Error("could not start", { cause: error }); }';
  const watchers = {
    "a monitor": 'process.on("uncaughtExceptionMonitor", (error) => console.log(error.cause.message));',
    "a capture callback": "process.setUncaughtExceptionCaptureCallback((error) => console.log(error.cause.message));",
    "a domain": `
      import domain from "node:domain";
      const one = domain.create(); one.on("error", (error) => console.log(error.cause.message)); one.enter();`,
  };
  for (const [name, source] of Object.entries(watchers)) {
    test(`so can the cause of one that nobody has caught: ${name}`, async () => {
      const { stdout, code } = await runProgram(`${CLEANUP}${source}\nsetTimeout(() => { ${wrapped} });`);
      assert.match(stdout, /^The process is exiting with code 4\..*\ncleaned up\n$/);
      assert.equal(code, 4);
    });
  }

  test("cleanups and the last listeners may look at one that was collected", async () => {
    const { stdout, stderr, code } = await runProgram(`${CLEANUP}
      const errors = [];
      const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      register(async () => { await sleep(20); for (const error of errors) console.log(error.message.length > 0); console.log("closed"); });
      process.on("exit", () => console.log(String(errors[0].stack).length > 0));
      process.on("exit", () => console.log("last"));
      setTimeout(() => { try { process.exit(4); } catch (error) { errors.push(error); } });`);
    assert.deepEqual([stdout, stderr, code], ["true\nclosed\ncleaned up\ntrue\nlast\n", "", 4]);
  });

  test("a cleanup that waits for what it has ended has failed, and that is told", async () => {
    const { stdout, stderr, code } = await runProgram(`${CLEANUP}
      const running = (async () => { await null; process.exit(2); })();
      register({ name: "database" }, async () => { await running; console.log("closed"); });`);
    assert.equal(stdout, "cleaned up\n");
    assert.match(stderr, /^atexit: cleanup "?database"? .*failed/m);
    assert.equal(code, 2);
  });

  test("what a program has done to Error changes nothing", async () => {
    for (const setting of ["Error.prepareStackTrace = (_, sites) => sites", "Error.stackTraceLimit = 1"]) {
      const { stdout, stderr, code } = await runProgram(`${CLEANUP}
        ${setting};
        (async () => { await null; process.exit(3); })().catch((error) => console.error(error.message));`);
      assert.deepEqual([stdout, stderr, code], ["cleaned up\n", "", 3], setting);
    }
  });

  test("its message can be set", async () => {
    const { stderr, code } = await runProgram(`${CLEANUP}
      setTimeout(() => { try { process.exit(0); } catch (error) { setTimeout(() => { error.message = "mine"; }); } });`);
    assert.deepEqual([stderr, code], ["", 0]);
  });
});
