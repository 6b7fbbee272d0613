// A recipe is a registration like any other: on the same stack, run once,
// cancelled by whatever cancels, whichever copy of the package is asked.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { copyPackage, isFromSources } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { linesOf } from "../support/run.ts";

/** What a program prints whose recipes leave a trace, on a way out that JavaScript sees, and then when it is killed. */
async function traces(place: Place, body: string): Promise<{ seen: string; killed: string }> {
  const source = (end: string) => `
    import { appendFileSync, readFileSync } from "node:fs";
    import { clear, count, register, run } from "atexit";
    import { call, exec, kill, remove } from "atexit/durable";
    const trace = process.env.WORK + "/" + process.argv0 + ".trace";
    const note = (name) => appendFileSync(trace, name + " ");
    const command = (name) => exec("/bin/sh", ["-c", 'printf "%s " "$1" >>"$2"', "sh", name, trace]);
    ${body}
    ${end}`;
  const trace = join(place.work, "node.trace");
  const read = async () => {
    try {
      const text = readFileSync(trace, "utf8");
      rmSync(trace);
      return text.trim();
    } catch {
      return "";
    }
  };
  const ended = await place.run(source("").replaceAll("process.argv0", '"node"'));
  assert.equal(ended.code, 0, ended.stderr);
  const seen = await read();
  await place.run(source('process.kill(process.pid, "SIGKILL");').replaceAll("process.argv0", '"node"'));
  await place.quiet();
  return { seen, killed: await read() };
}

const rows: readonly (readonly [name: string, body: string, seen: string, killed: string])[] = [
  [
    "functions and recipes have one order",
    `register(note, "1"); command("2"); register(async () => note("3")); command("4"); register(note, "5");`,
    "5 4 3 2 1",
    "4 2",
  ],
  [
    "handle.run() does it now, once",
    `const one = command("1"); command("2"); await one.run(); note("ran");`,
    "1 ran 2",
    "1 ran 2",
  ],
  ["handle.cancel() forgets it", `const one = command("1"); command("2"); one.cancel();`, "2", "2"],
  ["clear() forgets all", `command("1"); command("2"); clear(); note(String(count()));`, "0", "0"],
  ["run() does all now", `command("1"); command("2"); await run(); note("ran");`, "2 1 ran", "2 1 ran"],
  [
    "at the end of a scope, with await using's own method",
    `const one = command("1"); await one[Symbol.asyncDispose](); note("out");`,
    "1 out",
    "1 out",
  ],
  [
    "remove() is synchronous: using's own method",
    `import { mkdirSync, existsSync } from "node:fs";
     mkdirSync(process.env.WORK + "/scratch");
     const it = remove(process.env.WORK + "/scratch");
     it[Symbol.dispose]();
     note(String(existsSync(process.env.WORK + "/scratch")));`,
    "false",
    "false",
  ],
  ["a recipe that is registered by a cleanup is next", `register(() => { command("2"); note("1"); }); `, "1 2", ""],
  [
    "one that fails stops no other, and is not tried again",
    `command("1"); exec("/bin/false").run().catch(() => note("failed")); await new Promise((resolve) => setTimeout(resolve, 100)); command("2");`,
    "failed 2 1",
    "failed 2 1",
  ],
];

for (const [name, body, seen, killed] of rows) {
  test(name, () =>
    inPlace(async (place) => {
      assert.deepEqual(await traces(place, body), { seen, killed });
      assert.deepEqual(place.left(), []);
    }),
  );
}

test("two copies of the package write one journal", () =>
  inPlace(async (place) => {
    const copy = join(place.work, "copy");
    const pathOf = copyPackage(copy);
    const source = (end: string) => `
      import { readdirSync } from "node:fs";
      import { exec } from "atexit/durable";
      const other = await import(${JSON.stringify(pathOf("atexit/durable"))});
      const command = ["-c", 'echo "$1" >>"$2"', "sh"];
      const trace = process.env.WORK + "/trace";
      exec("/bin/sh", [...command, "1", trace]);
      other.exec("/bin/sh", [...command, "2", trace]);
      exec("/bin/sh", [...command, "3", trace]);
      const journals = readdirSync(process.env.ATEXIT_DIR).filter((name) => name.endsWith(".jsonl"));
      process.stdout.write(journals.length + "\\n", () => { ${end} });`;
    for (const end of ["", 'process.kill(process.pid, "SIGKILL");']) {
      const { stdout } = await place.run(source(end));
      await place.quiet();
      assert.equal(stdout, "1\n");
      assert.deepEqual(linesOf(join(place.work, "trace")), ["3", "2", "1"]);
      rmSync(join(place.work, "trace"));
    }
    assert.deepEqual(readdirSync(place.work), ["copy"]);
  }));

test(
  "what an ES module and CommonJS register is in one journal, which one guard carries out",
  { skip: isFromSources && "CommonJS takes a build: npm test" },
  () =>
    inPlace(async (place) => {
      const source = (end: string) => `
        import { readdirSync } from "node:fs";
        import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        const childProcess = require("node:child_process");
        const { spawn } = childProcess;
        let spawned = 0;
        childProcess.spawn = (...args) => ((spawned += 1), spawn(...args));
        const a = await import("atexit/durable");
        const b = require("atexit/durable");
        const { tempDir } = require("atexit/resources");
        const { WORK, ATEXIT_DIR } = process.env;
        const command = (n) => ["/bin/sh", ["-c", 'echo "$1" >>"$2"', "sh", n, WORK + "/trace"]];
        a.exec(...command("1"));
        b.exec(...command("2"));
        tempDir({ dir: WORK });
        a.exec(...command("3"));
        b.configure({ fsync: true });
        const { fsync } = a.configure({});
        const told = JSON.stringify({ fsync, spawned, journals: readdirSync(ATEXIT_DIR).filter((name) => name.endsWith(".jsonl")).length });
        process.stdout.write(told, () => { ${end} });`;
      for (const end of ["", 'process.kill(process.pid, "SIGKILL");']) {
        const { stdout, stderr } = await place.run(source(end));
        await place.quiet();
        assert.equal(stderr, "");
        assert.deepEqual(JSON.parse(stdout), { fsync: true, spawned: 1, journals: 1 });
        assert.deepEqual(linesOf(join(place.work, "trace")), ["3", "2", "1"]);
        assert.deepEqual(readdirSync(place.work), ["trace"]);
        rmSync(join(place.work, "trace"));
      }
    }),
);

test(
  "a lock that an ES module holds is held for CommonJS, and the error is known to both",
  { skip: isFromSources && "CommonJS takes a build: npm test" },
  () =>
    inPlace(async (place) => {
      const { stdout, stderr } = await place.run(`
        import { createRequire } from "node:module";
        import * as a from "atexit/resources";
        const b = createRequire(import.meta.url)("atexit/resources");
        const path = process.env.WORK + "/app.lock";
        for (const [one, other] of [[a, b], [b, a]]) {
          const lock = one.lockFileSync(path);
          try {
            other.lockFileSync(path);
          } catch (error) {
            console.log(error instanceof one.LockHeldError, error instanceof other.LockHeldError, error.pid === process.pid);
          }
          lock.release();
        }
        a.lockFileSync(path);`);
      assert.deepEqual([stdout, stderr], ["true true true\ntrue true true\n", ""]);
      assert.deepEqual(readdirSync(place.work), []);
    }),
);

test("a thread has a journal of its own, which ends with it", () =>
  inPlace(async (place) => {
    const source = `
      import { existsSync, mkdirSync, readdirSync } from "node:fs";
      import { isMainThread, parentPort, Worker } from "node:worker_threads";
      import { remove } from "atexit/durable";
      const { ATEXIT_DIR, WORK } = process.env;
      const make = (name) => (mkdirSync(WORK + "/" + name), remove(WORK + "/" + name));
      const journals = () => readdirSync(ATEXIT_DIR).filter((name) => name.endsWith(".jsonl")).length;
      if (isMainThread) {
        make("main");
        const worker = new Worker(new URL(import.meta.url));
        worker.on("message", () => {
          console.log(journals(), readdirSync(WORK).join());
          worker.postMessage("end");
        });
        worker.on("exit", () => console.log(journals(), readdirSync(WORK).join()));
      } else {
        make("worker");
        parentPort.once("message", () => {});
        parentPort.postMessage("ready");
      }`;
    const { stdout } = await place.run(source);
    assert.equal(stdout, "2 main,worker\n1 main\n");
    assert.deepEqual(readdirSync(place.work), []);
  }));
