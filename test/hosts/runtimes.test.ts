// Ways out in Bun and Deno, compared with the same runtime without the package:
// both cleanups run to their end, and status and stderr stay the runtime's own.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Ended, run, statusOf } from "../../src/tour/run-process.ts";
import { inPlace } from "../support/place.ts";
import { bun, deno, makeProject } from "./hosts.ts";

/** How a program leaves, in its own words. */
const WAYS_OUT = {
  "the natural end": "",
  "process.exit(3) in a timer": "setTimeout(() => process.exit(3), 5);",
  "process.exit(0) in a timer": "setTimeout(() => process.exit(0), 5);",
  "process.exit(4) at the top level": "process.exit(4);",
  "process.exit(6) in an asynchronous function": "(async () => { await null; process.exit(6); })();",
  "process.exit(7) in a function that catches all": "setTimeout(() => { try { process.exit(7); } catch {} }, 5);",
  "a throw in a timer": `setTimeout(() => { throw new Error("thrown"); }, 5);`,
  "a throw at the top level": `throw new Error("thrown");`,
  "a rejection in a timer": `setTimeout(() => { Promise.reject(new Error("rejected")); }, 5);`,
  "a rejection": `Promise.reject(new Error("rejected"));`,
  SIGINT: `setTimeout(() => {}, 20_000); process.kill(process.pid, "SIGINT");`,
  SIGTERM: `setTimeout(() => {}, 20_000); process.kill(process.pid, "SIGTERM");`,
};

/** Where Bun shows the excerpt of the source only at once, and not after the cleanups. */
const WITHOUT_EXCERPT = /^(?:a throw at the top level|a rejection)$/;

const CLEANUPS = `
if (process.argv[2] === "with") {
  const { register } = await import("atexit");
  register(() => console.log("first"));
  register(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log("second");
  });
}
`;

const RUNTIMES = { Bun: [bun, "run"], Deno: [deno, "run", "-A"] } as const;

const project = makeProject();
writeFileSync(join(project, "package.json"), `{ "dependencies": { "atexit": "*" } }`);
let programs = 0;

function start(
  [command, ...options]: readonly [string, ...string[]],
  program: string,
  ...args: string[]
): Promise<Ended> {
  programs += 1;
  const file = join(project, `program-${programs}.mjs`);
  writeFileSync(file, program);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  return run(command, [...options, file, ...args], { cwd: project, env });
}

/** What a runtime prints of an error, without the names of the programs, and without columns: Bun finds another one later. */
const shown = ({ stderr }: Ended) =>
  stderr
    .replaceAll(/program-\d+/g, "program")
    .replaceAll(/(program\.mjs:\d+):\d+/g, "$1")
    .replaceAll(/^ *\^$/gm, "^");

for (const [runtime, command] of Object.entries(RUNTIMES)) {
  for (const [name, leave] of Object.entries(WAYS_OUT)) {
    test(`${runtime}: ${name}`, async () => {
      const program = `${CLEANUPS}${leave}\n`;
      const bare = await start(command, program, "without");
      const ended = await start(command, program, "with");
      assert.equal(ended.stdout, "second\nfirst\n", ended.stderr);
      assert.equal(statusOf(ended), statusOf(bare));
      if (runtime === "Bun" && WITHOUT_EXCERPT.test(name)) assert.ok(shown(bare).endsWith(shown(ended)), ended.stderr);
      else assert.equal(shown(ended), shown(bare));
    });
  }

  test(`${runtime}: exit(5) of the package`, async () => {
    const program = `${CLEANUPS}
      const { exit } = await import("atexit");
      setTimeout(() => exit(5), 5);`;
    const ended = await start(command, program, "with");
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["second\nfirst\n", "", "5"]);
  });

  test(`${runtime}: as PID 1 of its namespace it ends by SIGTERM with 143, though it has work to do`, async () => {
    const program = `${CLEANUPS}
      setTimeout(() => {}, 20_000);
      process.kill(process.pid, "SIGTERM");`;
    const namespace = ["--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"];
    const before = Date.now();
    const ended = await start(["unshare", ...namespace, ...command], program, "with");
    assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["second\nfirst\n", "", "143"]);
    assert.ok(Date.now() - before < 20_000, "it waits for nothing else");
  });

  test(`${runtime}: a cleanup that fails is reported, the others run, and the status is 1`, async () => {
    for (const leave of ["", "process.exit(0);"]) {
      const program = `${CLEANUPS}
        const { register } = await import("atexit");
        register(() => { throw new Error("as it must"); });
        ${leave}`;
      const ended = await start(command, program, "with");
      assert.equal(ended.stdout, "second\nfirst\n");
      assert.match(ended.stderr, /^atexit: cleanup .* failed: .*as it must/);
      assert.equal(statusOf(ended), "1", leave);
    }
  });

  test(`${runtime}: an error that a listener of the program takes ends nothing`, async () => {
    const listen = `process.on("uncaughtException", (error) => console.log(error.message));`;
    const program = `${CLEANUPS}${listen}setTimeout(() => { throw new Error("thrown"); }, 5);`;
    const ended = await start(command, program, "with");
    assert.equal(ended.stdout, "thrown\nsecond\nfirst\n");
    assert.equal(statusOf(ended), "0");
  });
}

/** Registers one of each: recipes, a temporary directory, a lock, a server with a request under way, a function. */
const RESOURCES = `
  import fs from "node:fs";
  import http from "node:http";
  import { register } from "atexit";
  import { call, exec, remove } from "atexit/durable";
  import { lockFile, server, tempDir } from "atexit/resources";
  const [how, work] = process.argv.slice(2);
  const note = (text) => fs.appendFileSync(work + "/trace", text + "\\n");
  fs.writeFileSync(work + "/file", "");
  remove(work + "/file");
  const fill = (directory) => {
    fs.mkdirSync(directory + "/in/it", { recursive: true });
    for (const name of ["file", "in/file", "in/it/file"]) fs.writeFileSync(directory + "/" + name, "");
    fs.symlinkSync("/", directory + "/link");
    // Deno knows no name that is not UTF-8.
    if (!("deno" in process.versions)) fs.writeFileSync(Buffer.concat([Buffer.from(directory + "/in/"), Buffer.of(0xff, 0xfe)]), "");
  };
  fill(work + "/directory");
  remove(work + "/directory");
  exec("/bin/sh", ["-c", 'echo exec >>"$OUT"'], { env: { OUT: work + "/trace" } });
  fs.writeFileSync(work + "/module.mjs", 'import fs from "node:fs"; export const note = (to) => fs.appendFileSync(to, "call\\\\n");');
  call(work + "/module.mjs", "note", work + "/trace");
  fill(tempDir({ dir: work }).path);
  await lockFile(work + "/lock");
  const answer = (response) => { note("answered"); response.end(); };
  const web = http.createServer((_, response) => setTimeout(answer, 200, response));
  await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
  server(web);
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 20)); note("function"); });
  http.get({ port: web.address().port, host: "127.0.0.1" }).on("error", note);
  setTimeout(() => (how === "exit" ? process.exit(3) : process.kill(process.pid, how)), 100);`;

for (const [runtime, command] of Object.entries(RUNTIMES)) {
  for (const [how, status, trace] of [
    ["exit", "3", ["function", "answered", "call", "exec"]],
    ["SIGTERM", "SIGTERM", ["function", "answered", "call", "exec"]],
    ["SIGKILL", "SIGKILL", ["call", "exec"]],
  ] as const) {
    test(`${runtime}: recipes and resources, and ${how}`, () =>
      inPlace(async (place) => {
        const { work, journals } = place;
        const file = join(project, `resources-${how}.mjs`);
        writeFileSync(file, RESOURCES);
        const [program, ...options] = command;
        const env = { ...process.env, ATEXIT_DIR: journals, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
        const ended = await run(program, [...options, file, how, work], { cwd: project, env });
        assert.equal(statusOf(ended), status, ended.stderr);
        assert.equal(ended.stderr, "");
        await place.quiet();
        assert.deepEqual(readdirSync(work).sort(), ["module.mjs", "trace"], JSON.stringify(place.log()));
        assert.deepEqual(readFileSync(join(work, "trace"), "utf8").trim().split("\n"), trace);
        assert.deepEqual(place.left(), []);
      }));
  }
}
