// The package as it is published: what the tarball holds, and that it can be
// used from ESM, CommonJS and TypeScript, on every Node that it names.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { nodes } from "./support/nodes.js";
import { run } from "./support/run.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const bin = join(repository, "node_modules/.bin");

let directory: string;
let tarball: string;
/** What npm says that the tarball holds. */
let packed: { filename: string; files: { path: string }[] };
/** An empty project with the tarball installed. */
let project: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "atexit-package-"));
  const pack = await run("npm", ["pack", "--json", "--pack-destination", directory], { cwd: repository });
  packed = JSON.parse(pack.stdout)[0];
  tarball = join(directory, packed.filename);
  project = join(directory, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", version: "1.0.0", private: true }));
  const install = await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project });
  assert.equal(install.code, 0, install.stderr);
  mkdirSync(join(project, "node_modules/@types"));
  symlinkSync(join(repository, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
});

after(() => rm(directory, { recursive: true, force: true }));

/** Writes a file of the project. */
function place(path: string, source: string): string {
  const file = join(project, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  return file;
}

describe("the tarball", () => {
  it("holds the manifest, the readme, the licence and dist, and nothing else", () => {
    const paths = packed.files.map(({ path }) => path);
    assert.deepEqual([...new Set(paths.map((path) => path.split("/")[0]))].sort(), [
      "LICENSE",
      "README.md",
      "dist",
      "package.json",
    ]);
    const strangers = paths.filter(
      (path) => path.startsWith("dist/") && !/(?<!\.test)\.(?:c?js|c?js\.map|d\.ts)$/.test(path),
    );
    assert.deepEqual(strangers, []);
    assert.ok(paths.includes("dist/index.js"));
    assert.ok(paths.includes("dist/index.d.ts"));
    for (const program of ["replay", "call"]) assert.ok(paths.includes(`dist/${program}.js`), program);
  });

  it("depends on nothing, and runs nothing when it is installed", () => {
    const manifest = JSON.parse(readFileSync(join(project, "node_modules/atexit/package.json"), "utf8"));
    for (const kind of ["dependencies", "optionalDependencies", "peerDependencies", "bundleDependencies"]) {
      assert.deepEqual(Object.keys(manifest[kind] ?? {}), [], kind);
    }
    const scripts = Object.keys(manifest.scripts ?? {});
    assert.deepEqual(
      scripts.filter((name) => /install$|^prepare$/.test(name)),
      [],
    );
  });

  it("has nothing that publint could suggest", async () => {
    const bytes = readFileSync(tarball);
    const { messages, pkg } = await publint({
      pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer },
      level: "suggestion",
      strict: true,
    });
    assert.equal(pkg["name"], "atexit");
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg)),
      [],
    );
  });

  it("has types that are right for every way to import it", async () => {
    const { code, stdout, stderr } = await run(join(bin, "attw"), [
      tarball,
      "--profile",
      "esm-only",
      "--format",
      "ascii",
    ]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /node16 \(from ESM\)/);
  });
});

/** Registers, runs and exits: `cleanup: data` and a code that only a shutdown which waited can give. */
const smoke = `
  register((what) => console.log("cleanup: " + what), "data");
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 5)); exit(42); });`;
const smoked = { stdout: "cleanup: data\n", stderr: "", code: 42, signal: null };

const programs: readonly [how: string, path: string, source: string][] = [
  ["import in a module", "named.mjs", `import { exit, register } from "atexit"; ${smoke}`],
  ["import of everything", "all.mjs", `import * as atexit from "atexit"; const { exit, register } = atexit; ${smoke}`],
  [
    "import of atexit/durable",
    "durable.mjs",
    `import { exit, register } from "atexit";
     import { exec } from "atexit/durable";
     exec("/bin/true"); ${smoke}`,
  ],
  [
    "require() of atexit/durable",
    "durable.cjs",
    `const { exit, register } = require("atexit");
     require("atexit/durable").exec("/bin/true"); ${smoke}`,
  ],
  [
    "import of atexit/resources",
    "resources.mjs",
    `import { exit, register } from "atexit";
     import { lockFileSync, tempFile } from "atexit/resources";
     lockFileSync(tempFile().path + ".lock"); ${smoke}`,
  ],
  [
    "require() of atexit/resources",
    "resources.cjs",
    `const { exit, register } = require("atexit");
     const { lockFileSync, tempFile } = require("atexit/resources");
     lockFileSync(tempFile().path + ".lock"); ${smoke}`,
  ],
  [
    "import of atexit/app",
    "app.mjs",
    `import { exit, register } from "atexit";
     import { start } from "atexit/app";
     await start("myapp", { dir: "state-esm", log: false, quiet: true }); ${smoke}`,
  ],
  [
    "require() of atexit/app",
    "app.cjs",
    `const { exit, register } = require("atexit");
     require("atexit/app").start("myapp", { dir: "state-cjs", log: false, quiet: true }).then(() => { ${smoke} });`,
  ],
  ["import() in CommonJS", "dynamic.cjs", `import("atexit").then(({ exit, register }) => { ${smoke} });`],
  ["require() in CommonJS", "require.cjs", `const { exit, register } = require("atexit"); ${smoke}`],
  [
    "require() in a CommonJS dependency",
    "dependent.cjs",
    `const { exit, register } = require("dependency").atexit; ${smoke}`,
  ],
];

/** Journals of these programs stay here, too. */
const inProject = {
  get cwd() {
    return project;
  },
  get env() {
    return { ...process.env, ATEXIT_DIR: join(directory, "journals") };
  },
};

function describeUse(title: string, node: () => string): void {
  describe(title, () => {
    it("works as a command, without a warning", async () => {
      const command = [
        "node_modules/.bin/atexit",
        "run",
        "--temp-dir",
        "SCRATCH",
        "--",
        "sh",
        "-c",
        'test -d "$SCRATCH"',
      ];
      assert.deepEqual(await run(node(), command, inProject), { stdout: "", stderr: "", code: 0, signal: null });
    });

    for (const [how, path, source] of programs) {
      it(`works with ${how}, without a warning`, async () => {
        place("node_modules/dependency/index.js", 'exports.atexit = require("atexit");');
        assert.deepEqual(await run(node(), [place(path, source)], inProject), smoked);
      });
    }
  });
}

for (const { line, path } of nodes) describeUse(`on Node ${line}`, () => path);

const floor = floorNode();
if (floor === undefined) it("on the oldest Node that the manifest allows", { skip: "it cannot be installed" });
else describeUse("on the oldest Node that the manifest allows", () => floor);

/** The executable of the version in `engines`, from the registry, kept in .cache. */
function floorNode(): string | undefined {
  const { engines } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  const version = /\d+\.\d+\.\d+/.exec(engines.node)?.[0];
  const cache = join(repository, ".cache/floor");
  const path = join(cache, `node_modules/node-${version}/bin/node`);
  if (!existsSync(path)) {
    mkdirSync(cache, { recursive: true });
    const name = `node-${version}@npm:node@${version}`;
    spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", cache, name], { stdio: "ignore" });
  }
  return existsSync(path) ? path : undefined;
}

describe("from TypeScript", () => {
  /** Compiles a file of the project, and tells what the compiler says. */
  async function compile(path: string, source: string): Promise<string> {
    const file = place(path, source);
    const options = ["--strict", "--skipLibCheck", "false", "--module", "nodenext", "--target", "es2022"];
    const { stdout, stderr } = await run(join(bin, "tsc"), [...options, "--types", "node", "--noEmit", file], {
      cwd: project,
    });
    return stdout.replaceAll(`${project}/`, "") + stderr.replace(/^npm warn.*\n/gm, "");
  }

  const typed = `
    register((what: string) => console.log(what), "data");
    export async function scope(): Promise<number | undefined> {
      using file = register((fd: number) => fd, 3);
      await using connection = register(async () => {});
      return file.run();
    }
    export const leave = (): never => exit(3);`;
  const sources: Record<string, string> = {
    "module.mts": `import { exit, register } from "atexit";${typed}`,
    "plain.ts": `import { exit, register } from "atexit";${typed}`,
    "common.cts": `import { exit, register } from "atexit";${typed}`,
    "require.cts": `import atexit = require("atexit");\nconst { exit, register } = atexit;${typed.replaceAll("export ", "")}\nvoid scope, leave;`,
  };
  for (const [path, source] of Object.entries(sources)) {
    it(`${path} compiles at its strictest, the package's own types included`, async () => {
      assert.equal(await compile(path, source), "");
    });
  }

  it("the types of atexit/durable say which handles are asynchronous", async () => {
    const source = `
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
      }`;
    assert.equal(await compile("durable.ts", source), "");
  });

  it("the types of atexit/resources say which handles are asynchronous, and what a server can be", async () => {
    const source = `
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
      }`;
    assert.equal(await compile("resources.ts", source), "");
  });

  it("the types of atexit/app say what a service is", async () => {
    const source = `
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
      }`;
    assert.equal(await compile("app.ts", source), "");
  });

  it("a wrong argument does not compile", async () => {
    const said = await compile("wrong.ts", 'import { register } from "atexit";\nregister((n: number) => n, "1");');
    assert.match(said, /^wrong\.ts\(2,\d+\): error/);
  });

  it("handles of synchronous and asynchronous cleanups fit into one list", async () => {
    const source = `
      import { type Registration, register } from "atexit";
      const handles: Registration[] = [register(() => 1), register(async () => 2)];
      for (const handle of handles) handle.cancel();
      export { handles };`;
    assert.equal(await compile("handles.ts", source), "");
  });

  it("`using` does not compile where nothing is known of what the cleanup returns", async () => {
    const source = `
      import { register } from "atexit";
      declare const cleanup: () => unknown;
      export function scope() {
        using handle = register(cleanup);
      }`;
    assert.match(await compile("unknown.ts", source), /unknown\.ts\(5,24\): error/);
  });

  it("the reason of `exiting` is an Exit or nothing", async () => {
    const source = `
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
      reason.kind;`;
    assert.equal(await compile("reason.ts", source), "");
  });
});

describe("nothing happens on import", () => {
  const look = `
    const look = () => ({
      listeners: process.eventNames().map((name) => [name, ...process.rawListeners(name)]),
      exit: process.exit,
      reallyExit: process.reallyExit,
      emit: Object.getOwnPropertyDescriptor(process, "emit"),
      stdout: Object.getOwnPropertyDescriptor(process, "stdout"),
      globals: Object.getOwnPropertyNames(globalThis),
      symbols: Object.getOwnPropertySymbols(globalThis),
      prepare: Error.prepareStackTrace,
      limit: Error.stackTraceLimit,
      maximum: process.getMaxListeners(),
      resources: process.getActiveResourcesInfo().filter((name) => !/FSReq|Close/.test(name)),
      handles: process._getActiveHandles().length,
      children: process._getActiveRequests().length,
    });`;
  const ways: readonly [how: string, path: string, load: string][] = [
    ["import()", "look.mjs", 'await import("atexit");'],
    ["require()", "look.cjs", 'require("atexit");'],
    ["import() of atexit/durable", "look-durable.mjs", 'await import("atexit/durable");'],
    ["import() of atexit/resources", "look-resources.mjs", 'await import("atexit/resources");'],
    ["import() of atexit/app", "look-app.mjs", 'await import("atexit/app");'],
  ];
  for (const { line, path } of nodes) {
    for (const [how, file, load] of ways) {
      it(`with ${how}, on Node ${line}`, async () => {
        const source = `
          const assert = process.getBuiltinModule("node:assert/strict");
          const { writeSync } = process.getBuiltinModule("node:fs");
          ${look}
          const before = look();
          ${load}
          assert.deepEqual(look(), before);
          writeSync(1, "the same\\n");`;
        assert.deepEqual(await run(path, [place(file, source)], { cwd: project }), {
          stdout: "the same\n",
          stderr: "",
          code: 0,
          signal: null,
        });
      });
    }
  }
});
