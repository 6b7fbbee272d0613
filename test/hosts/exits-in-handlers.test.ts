// Handlers that call process.exit() inside libraries which catch, print and record
// whatever comes: with a cleanup that has to be waited for, each program prints,
// records and returns what it does without this package.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { run } from "../support/run.ts";
import { hosts, makeProject } from "./hosts.ts";

// Below the hosts, so that programs find them.
const project = makeProject(hosts);
const work = mkdtempSync(join(project, "programs-"));
after(() => rmSync(work, { recursive: true, force: true }));
writeFileSync(join(work, "package.json"), '{ "name": "program", "version": "1.0.0", "type": "module" }');

const CLEANUP = `
  import { register } from "atexit";
  import { appendFileSync } from "node:fs";
  register(() => new Promise((resolve) => setTimeout(resolve, 150)).then(() => appendFileSync(process.env.NOTES, "cleaned up\\n")));
`;

/** What Sentry would send is written down. */
const SENTRY = `
  import * as Sentry from "@sentry/node";
  import * as fs from "node:fs";
  const beforeSend = () => { fs.appendFileSync(process.env.NOTES, "recorded\\n"); return null; };
  Sentry.init({ dsn: "http://key@127.0.0.1:9/1", beforeSend });`;

const ASK = `const ask = ({ port }) => fetch("http://127.0.0.1:" + port).catch(() => {});`;

const yargs = (handler: string, rest = "") => `
  import yargs from "yargs";
  await yargs(["go"]).command("go", "goes", () => {}, ${handler})${rest}.parseAsync();`;

const oclif = (body: string) => `
  import { Command, flush, handle } from "@oclif/core";
  class Go extends Command { async run() { await null; ${body} } }
  Go.run([], { root: import.meta.dirname ?? process.cwd() }).then(() => flush()).catch(handle);`;

const listr2 = (options: string) => `
  import { Listr } from "listr2";
  const tasks = new Listr([{ title: "one", task: async () => { await null; process.exit(3); } }], ${options});
  try { await tasks.run(); console.log("went on"); } catch (error) { console.error(error); }`;

const same: Readonly<Record<string, string>> = {
  "commander, exitOverride()": `
    import { Command } from "commander";
    const program = new Command().exitOverride();
    program.command("go").action(async () => { await null; process.exit(3); });
    try { await program.parseAsync(["go"], { from: "user" }); } catch (error) { console.error(error.message); process.exit(error.exitCode ?? 1); }`,
  "commander, error()": `
    import { Command } from "commander";
    const program = new Command();
    program.command("go").action(async () => { await null; program.error("bad", { exitCode: 3 }); });
    try { await program.parseAsync(["go"], { from: "user" }); } catch (error) { console.error(error.message); process.exit(1); }`,
  "oclif, this.exit()": oclif("this.exit(3);"),
  "oclif, this.error()": oclif('this.error("bad", { exit: 3 });'),
  "oclif, process.exit()": oclif("process.exit(3);"),
  clipanion: `
    import { Cli, Command } from "clipanion";
    class Go extends Command { static paths = [["go"]]; async execute() { await null; process.exit(3); } }
    const cli = new Cli({ binaryName: "program" }); cli.register(Go); cli.runExit(["go"]);`,
  citty: `
    import { defineCommand, runMain } from "citty";
    runMain(defineCommand({ meta: { name: "program" }, async run() { await null; process.exit(3); } }), { rawArgs: [] });`,
  cac: `
    import cac from "cac";
    const cli = cac("program"); cli.command("go").action(async () => { await null; process.exit(3); });
    try { cli.parse(["node", "program", "go"], { run: false }); await cli.runMatchedCommand(); } catch (error) { console.error(error.stack); process.exit(1); }`,
  "listr2, its simple renderer": listr2('{ renderer: "simple" }'),
  "listr2, its verbose renderer": listr2('{ renderer: "verbose" }'),
  "yargs, a handler that is not async": yargs("() => { process.exit(3); }"),
  "yargs, an async handler with showHelpOnFail(false)": yargs(
    "async () => { await null; process.exit(3); }",
    ".showHelpOnFail(false)",
  ),
  "yargs, fail() for the error that unwinds": yargs(
    "async () => { await null; process.exit(3); }",
    ".fail((message, error) => { console.error(message || error.message); process.exit(1); })",
  ),
  "yargs, fail() that exits": yargs(
    'async () => { await null; throw new Error("bad"); }',
    ".fail((message, error) => { console.error(message || error.message); process.exit(3); })",
  ),
  "yargs, its own errors": `
    import yargs from "yargs";
    yargs([]).command("go", "goes", () => {}, async () => {}).demandCommand(1).parse(); console.log("went on");`,
  "yargs, --help": `
    import yargs from "yargs";
    yargs(["--help"]).command("go", "goes", () => {}, async () => {}).parse(); console.log("went on");`,
  "Sentry, captureException()": `${SENTRY}
    try { await null; process.exit(3); } catch (error) { Sentry.captureException(error); await Sentry.flush(1_000); }`,
  "Sentry, its handler for Express": `${SENTRY}
    import express from "express"; ${ASK}
    const app = express().get("/", async () => { await null; process.exit(3); });
    Sentry.setupExpressErrorHandler(app);
    const server = app.listen(0, "127.0.0.1", () => ask(server.address()));`,
  "Sentry, its handler for Fastify": `${SENTRY}
    import fastify from "fastify"; ${ASK}
    const app = fastify(); Sentry.setupFastifyErrorHandler(app);
    app.get("/", async () => { await null; process.exit(3); });
    await app.listen({ port: 0, host: "127.0.0.1" }); void ask(app.server.address());`,
  "New Relic, noticeError()": `
    import newrelic from "newrelic";
    try { await null; process.exit(3); } catch (error) { newrelic.noticeError(error); console.log(error.message); }`,
};

/** What the guide to neighbours says of them. */
const excepted: Readonly<Record<string, readonly [source: string, stdout: RegExp, stderr: RegExp]>> = {
  "yargs, an async handler": [
    yargs("async () => { process.exit(3); }"),
    /^$/,
    /^program.mjs go\n\ngoes\n[^:]*Options:/,
  ],
  "listr2, exitOnError: false": [listr2('{ renderer: "silent", exitOnError: false }'), /^went on\n$/, /^$/],
};

async function start(source: string) {
  const directory = mkdtempSync(join(work, "program-"));
  const file = join(directory, "program.mjs");
  const notes = join(directory, "notes");
  writeFileSync(join(directory, "package.json"), readFileSync(join(work, "package.json")));
  writeFileSync(file, source);
  writeFileSync(notes, "");
  const newRelic = {
    NEW_RELIC_APP_NAME: "program",
    NEW_RELIC_LICENSE_KEY: "0".repeat(40),
    NEW_RELIC_HOST: "127.0.0.1",
  };
  const env = { ...process.env, ...newRelic, NEW_RELIC_LOG_ENABLED: "false", NO_COLOR: "1", NOTES: notes };
  const { stdout, stderr, code } = await run(process.execPath, [file], {
    cwd: directory,
    env: { ...env, NODE_TEST_CONTEXT: undefined },
  });
  return { stdout, stderr, code, notes: readFileSync(notes, "utf8") };
}

describe("process.exit() in a handler", { concurrency: 2 }, () => {
  for (const [name, source] of Object.entries(same)) {
    test(`as without this package: ${name}`, async () => {
      const without = await start(source);
      assert.equal(without.notes, "");
      assert.deepEqual(await start(CLEANUP + source), { ...without, notes: "cleaned up\n" });
    });
  }

  for (const [name, [source, stdout, stderr]] of Object.entries(excepted)) {
    test(`not as without it, but for the status: ${name}`, async () => {
      const ended = await start(CLEANUP + source);
      assert.match(ended.stdout, stdout);
      assert.match(ended.stderr, stderr);
      assert.deepEqual([ended.code, ended.notes], [3, "cleaned up\n"]);
    });
  }
});
