// The package's types in the programs of its users: at their strictest, the types
// of the package itself included, with the types of each Node.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isFromSources, manifest, repository } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";

const typed = `
  register((what: string) => console.log(what), "data");
  export async function scope(): Promise<number | undefined> {
    using file = register((fd: number) => fd, 3);
    await using connection = register(async () => {});
    return file.run();
  }
  export const leave = (): never => exit(3);`;

interface Source {
  readonly promise: string;
  readonly file: string;
  readonly source: string;
  /** What the compiler says of it. By default nothing. */
  readonly error?: RegExp;
}

const sources: readonly Source[] = [
  ...Object.entries({
    "module.mts": `import { exit, register } from "atexit";${typed}`,
    "plain.ts": `import { exit, register } from "atexit";${typed}`,
    "common.cts": `import { exit, register } from "atexit";${typed}`,
    "require.cts": `import atexit = require("atexit");\nconst { exit, register } = atexit;${typed.replaceAll("export ", "")}\nvoid scope, leave;`,
  }).map(([file, source]) => ({ promise: `${file} compiles`, file, source })),
  {
    promise: "what compiles here, and what does not, does so for a user",
    file: "types.mts",
    source: readFileSync(join(repository, "test/package/types.ts"), "utf8").replace("../../src/index.ts", "atexit"),
  },
  {
    promise: "those of atexit/durable say which handles are asynchronous",
    file: "durable.ts",
    source: `
      import { call, configure, exec, kill, recover, remove, type Replayed, replays } from "atexit/durable";
      export async function scope(): Promise<Replayed[]> {
        using file = remove("scratch");
        await using server = kill(4242, { signal: "SIGINT", grace: 1_000 });
        // @ts-expect-error it returns a promise
        using command = exec("true", ["a"], { cwd: "/", env: { A: "b" }, timeout: 5 });
        // @ts-expect-error JSON carries no functions
        call(new URL("file:///a.js"), "name", () => {});
        // @ts-expect-error there is no such setting
        configure({ guards: true });
        call("/a.js", "name", 1, "2", [true, null], { a: [1] });
        return [...(await recover({ dryRun: true })), ...replays()];
      }`,
  },
  {
    promise: "those of atexit/resources say which handles are asynchronous, and what a server can be",
    file: "resources.ts",
    source: `
      import { spawn } from "node:child_process";
      import { createServer } from "node:http";
      import { createSecureServer } from "node:http2";
      import * as net from "node:net";
      import { Worker } from "node:worker_threads";
      import {
        child, childEnvironment, closing, clusterWorkers, endWithParent, lockFile, LockHeldError, lockFileSync, logFile,
        server, tempDir, tempFile, waysToClose, worker,
      } from "atexit/resources";
      export async function scope(): Promise<string | undefined> {
        using lock = lockFileSync("a.lock", { wait: 5, data: { port: 1 } });
        await using same = await lockFile(new URL("file:///a.lock"), { wait: Infinity, signal: AbortSignal.timeout(5) });
        // @ts-expect-error nothing can abort a wait that blocks the event loop
        lockFileSync("a.lock", { signal: AbortSignal.timeout(5) });
        using file = tempFile({ prefix: "a", suffix: ".b", dir: "/tmp" });
        using directory = tempDir();
        using log = logFile("a.log", { last: "over", mode: 0o600, reopenOn: "SIGHUP" });
        await using sleeper = child(spawn("sleep", ["1"], { env: childEnvironment() }), { signal: "SIGINT", grace: 5 });
        // @ts-expect-error ending a tree of processes takes time
        using impatient = child(spawn("sleep", ["1"]));
        sleeper.process.stdout.resume();
        await using thread = worker(new Worker("a.js"), { grace: 5 });
        await using workers = clusterWorkers();
        await using http = server(createServer(), { drainDelay: 5, grace: 5 });
        await using http2 = server(createSecureServer());
        await using plain = server(net.createServer());
        await using pool = closing({ name: "pool", timeout: 5 }, { drain: async () => {} }, (it) => it.drain());
        // @ts-expect-error nothing is known of how to close a number
        closing(5);
        using parent = endWithParent({ stdin: false });
        const error: unknown = same;
        return error instanceof LockHeldError ? error.program : waysToClose[0]?.of;
      }`,
  },
  {
    promise: "those of atexit/app say what a service is",
    file: "app.ts",
    source: `
      import { createServer } from "node:http";
      import type { AddressInfo } from "node:net";
      import { type App, type LostRun, start } from "atexit/app";
      export async function main(): Promise<[AddressInfo, LostRun | undefined]> {
        await using app: App = await start("myapp", { wait: 5, lock: false, log: "a.log", probes: { port: 9090 } });
        const pool: { drain(): Promise<void> } = app.use({ drain: async () => {} }, (it) => it.drain());
        // @ts-expect-error there is no such option
        await start("myapp", { port: 8080 });
        const address = await app.serve(createServer((q, r) => void app.probe(q, r)), { port: 8080, drainDelay: 5 });
        await app.ready();
        app.status(String(pool));
        app.log("line");
        return [address, app.lost];
      }`,
  },
  {
    promise: "a wrong argument does not compile",
    file: "wrong.ts",
    source: 'import { register } from "atexit";\nregister((n: number) => n, "1");',
    error: /^wrong\.ts\(2,\d+\): error .*\n?$/,
  },
  {
    promise: "handles of synchronous and asynchronous cleanups fit into one list",
    file: "handles.ts",
    source: `
      import { type Registration, register } from "atexit";
      const handles: Registration[] = [register(() => 1), register(async () => 2)];
      for (const handle of handles) handle.cancel();
      export { handles };`,
  },
  {
    promise: "`using` does not compile where nothing is known of what the cleanup returns",
    file: "unknown.ts",
    source: `
      import { register } from "atexit";
      declare const cleanup: () => unknown;
      export function scope() {
        using handle = register(cleanup);
      }`,
    error: /^unknown\.ts\(5,\d+\): error .*\n?$/,
  },
  {
    promise: "the reason of `exiting` is an Exit or nothing",
    file: "reason.ts",
    source: `
      import { type Exit, exiting } from "atexit";
      const { reason } = exiting;
      export const known: Exit | undefined = reason;
      if (reason !== undefined) {
        // @ts-expect-error there is no such way out
        if (reason.kind === "crash") throw new Error();
        // @ts-expect-error what happened has happened
        reason.code = 0;
      }
      // @ts-expect-error there may be no exit yet
      reason.kind;`,
  },
];

/** The package with those of one Node, as a project that has both installed. */
const TYPES = {
  "Node 20": "@types/node",
  "Node 22": "types-node-22",
  "Node 24": "types-node-24",
  "the newest Node": "types-node-26",
} as const;

for (const [node, installed] of Object.entries(TYPES)) {
  describe(`types, beside those of ${node}`, { skip: isFromSources && "takes a build: npm test" }, () => {
    const project = mkdtempSync(join(tmpdir(), "atexit-types-"));
    let lines: readonly string[];

    before(async () => {
      const modules = join(project, "node_modules");
      // Real files: by a link the compiler would come to the types that the repository has.
      const isTypes = (path: string) => !basename(path).includes(".") || /\.d\.c?ts$/.test(path);
      cpSync(join(repository, "dist"), join(modules, "atexit/dist"), { recursive: true, filter: isTypes });
      writeFileSync(join(modules, "atexit/package.json"), JSON.stringify(manifest));
      mkdirSync(join(modules, "@types"));
      symlinkSync(join(repository, "node_modules", installed), join(modules, "@types/node"));
      for (const { file, source } of sources) writeFileSync(join(project, file), source);
      const compilerOptions = {
        noEmit: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        module: "nodenext",
        target: "es2022",
        lib: ["es2023", "esnext.disposable"],
        types: ["node"],
      };
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
      const tsc = join(repository, "node_modules/.bin/tsc");
      const { stdout, stderr } = await run(tsc, ["-p", "."], { cwd: project });
      assert.equal(stderr, "");
      lines = stdout.split("\n").filter((line) => /^\S/.test(line));
    });
    after(() => rmSync(project, { recursive: true, force: true }));

    it("have no error of their own", () => {
      const own = lines.filter((line) => !sources.some(({ file }) => line.startsWith(`${file}(`)));
      assert.deepEqual(own, []);
    });

    for (const { promise, file, error = /^$/ } of sources) {
      it(promise, () => {
        assert.match(lines.filter((line) => line.startsWith(`${file}(`)).join("\n"), error);
      });
    }
  });
}
