// The package as npm installs it: it can be used from ESM and CommonJS, and as a
// command, without a warning; and nothing happens on import. These tests alone
// run on the oldest Node that the manifest allows, too.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isFromSources, repository } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";

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

describe("the package, installed", { skip: isFromSources && "takes a build: npm test" }, () => {
  const directory = mkdtempSync(join(tmpdir(), "atexit-installed-"));
  /** An empty project with the tarball installed. */
  const project = join(directory, "project");
  /** Journals of these programs stay here, too. */
  const inProject = { cwd: project, env: { ...process.env, ATEXIT_DIR: join(directory, "journals") } };

  before(async () => {
    const pack = await run("npm", ["pack", "--json", "--pack-destination", directory], { cwd: repository });
    const [{ filename }] = JSON.parse(pack.stdout) as [{ filename: string }];
    place("package.json", JSON.stringify({ name: "project", version: "1.0.0", private: true }));
    const tarball = join(directory, filename);
    const install = await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project });
    assert.equal(install.code, 0, install.stderr);
    place("node_modules/dependency/index.js", 'exports.atexit = require("atexit");');
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** Writes a file of the project. */
  function place(path: string, source: string): string {
    const file = join(project, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, source);
    return file;
  }

  it("works as a command, without a warning", async () => {
    const runs = ["run", "--temp-dir", "SCRATCH", "--", "sh", "-c", 'test -d "$SCRATCH"'];
    const ended = await run(process.execPath, ["node_modules/.bin/atexit", ...runs], inProject);
    assert.deepEqual(ended, { stdout: "", stderr: "", code: 0, signal: null });
  });

  for (const [how, path, source] of programs) {
    it(`works with ${how}, without a warning`, async () => {
      assert.deepEqual(await run(process.execPath, [place(path, source)], inProject), smoked);
    });
  }

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
    for (const [how, file, load] of ways) {
      it(`with ${how}`, async () => {
        const source = `
          const assert = process.getBuiltinModule("node:assert/strict");
          const { writeSync } = process.getBuiltinModule("node:fs");
          ${look}
          const before = look();
          ${load}
          assert.deepEqual(look(), before);
          writeSync(1, "the same\\n");`;
        assert.deepEqual(await run(process.execPath, [place(file, source)], { cwd: project }), {
          stdout: "the same\n",
          stderr: "",
          code: 0,
          signal: null,
        });
      });
    }
  });
});
