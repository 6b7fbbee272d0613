// Programs that a bundler made into one file, or into a single executable, run
// where the package is not: durable cleanups find their helper all the same.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { isFromSources, repository } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { childrenOf } from "../support/processes.ts";
import { type Ended, run, until } from "../support/run.ts";

/** What the bundles are made of. What it does is its first argument. */
const PROGRAM = `
  import fs from "node:fs";
  import { register } from "atexit";
  import { call, exec, remove } from "atexit/durable";
  import { lockFileSync, tempDir } from "atexit/resources";
  const { WORK } = process.env;
  const what = process.argv[2];
  if (what === "reject" || what === "throw") {
    register(() => console.log("next"));
    register(what === "throw" ? () => { throw new Error("as it must"); } : async () => { await null; throw new Error("as it must"); });
  } else if (what === "lock") {
    lockFileSync(WORK + "/app.lock", { wait: 5_000 });
    console.log("locked");
    if (process.argv[3] === "killed") process.kill(process.pid, "SIGKILL");
  } else {
    fs.writeFileSync(WORK + "/file", "");
    remove(WORK + "/file");
    tempDir({ dir: WORK });
    exec("/bin/sh", ["-c", 'echo "exec $ATEXIT_HELPER" >>"$1"', "sh", WORK + "/trace"]);
    call(WORK + "/called.mjs", "trace", WORK + "/trace");
    if (what === "killed") setTimeout(() => process.kill(process.pid, "SIGKILL"), 50);
  }
`;

const CALLED = 'import fs from "node:fs"; export const trace = (path) => fs.appendFileSync(path, "call\\n");';

/** Only this part of the package: it must be whole without the others. */
const DURABLE_ALONE = `
  import { remove } from "atexit/durable";
  import fs from "node:fs";
  fs.writeFileSync(process.env.WORK + "/file", "");
  remove(process.env.WORK + "/file");
  process.kill(process.pid, "SIGKILL");
`;

/** Bundles `entry`, and returns the file to run. */
type Bundler = (entry: string, directory: string) => Promise<string>;

/** Bundlers are looked for from the repository: a test's own types do not depend on theirs. */
const load = createRequire(join(repository, "package.json"));

const bundlers: Readonly<Record<string, Bundler>> = {
  "esbuild, ES modules": (entry, directory) => esbuilt(entry, join(directory, "out.mjs"), "esm"),
  "esbuild, CommonJS": (entry, directory) => esbuilt(entry, join(directory, "out.cjs"), "cjs"),
  async rollup(entry, directory) {
    const { rollup } = load("rollup") as {
      rollup(options: object): Promise<{ write(options: object): Promise<unknown> }>;
    };
    const { nodeResolve } = load("@rollup/plugin-node-resolve") as { nodeResolve(options: object): object };
    const bundle = await rollup({ input: entry, plugins: [nodeResolve({ preferBuiltins: true })], logLevel: "silent" });
    await bundle.write({ dir: directory, entryFileNames: "out.mjs", chunkFileNames: "[name].mjs" });
    return join(directory, "out.mjs");
  },
  async rolldown(entry, directory) {
    const { build } = (await import(load.resolve("rolldown"))) as { build(options: object): Promise<unknown> };
    const output = { dir: directory, entryFileNames: "out.mjs", chunkFileNames: "[name].mjs" };
    await build({ input: entry, platform: "node", logLevel: "silent", output });
    return join(directory, "out.mjs");
  },
  async "webpack, production"(entry, directory) {
    const webpack = load("webpack") as (
      options: object,
      done: (error: unknown, stats: { hasErrors(): boolean; toString(): string }) => void,
    ) => void;
    const output = { path: directory, filename: "out.cjs", chunkFilename: "[id].cjs" };
    await new Promise<void>((resolve, reject) => {
      webpack({ mode: "production", target: "node20", entry, output }, (error, stats) => {
        if (error instanceof Error) reject(error);
        else if (stats.hasErrors()) reject(new Error(stats.toString()));
        else resolve();
      });
    });
    return join(directory, "out.cjs");
  },
  async ncc(entry, directory) {
    const cli = load.resolve("@vercel/ncc/dist/ncc/cli.js");
    const { code, stdout, stderr } = await run(process.execPath, [cli, "build", entry, "-o", directory, "-q"]);
    assert.equal(code, 0, stdout + stderr);
    return join(directory, "index.mjs");
  },
};

async function esbuilt(entry: string, outfile: string, format: string): Promise<string> {
  const { build } = load("esbuild") as { build(options: object): Promise<unknown> };
  await build({ entryPoints: [entry], outfile, format, bundle: true, platform: "node", logLevel: "error" });
  return outfile;
}

/** Runs a bundle in a place, as its user does. */
function runIn(place: Place, command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const [file = "", ...args] = command;
  return run(file, args, { env: { ...place.environment, ...env }, cwd: place.work });
}

/** What is there when all is over, but for what the program was given. */
function remains(place: Place): string[] {
  return readdirSync(place.work).filter((name) => name !== "called.mjs");
}

async function assertCarriedOut(place: Place, command: readonly string[]): Promise<void> {
  for (const how of ["killed", "exits"]) {
    writeFileSync(join(place.work, "called.mjs"), CALLED);
    const { signal, stderr } = await runIn(place, [...command, how]);
    assert.equal(signal, how === "killed" ? "SIGKILL" : null, stderr);
    assert.equal(stderr, "");
    await place.quiet();
    assert.deepEqual(remains(place), ["trace"], JSON.stringify(place.log()));
    assert.deepEqual(
      (await lines(place)).map((line) => line.trim()),
      ["call", "exec"],
      "no command is taken for a helper",
    );
    rmSync(join(place.work, "trace"));
  }
}

async function lines(place: Place): Promise<string[]> {
  const { readFile } = await import("node:fs/promises");
  return (await readFile(join(place.work, "trace"), "utf8")).split("\n").slice(0, -1);
}

describe("a bundle", { skip: isFromSources && "bundlers bundle what is published" }, () => {
  let directory = "";
  /** Where the package is after the bundlers have run. */
  let packages = "";
  const bundles = new Map<string, Readonly<Record<"program" | "alone", string>>>();
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "atexit-bundles-"));
    packages = join(directory, "packages");
    const installed = join(directory, "node_modules/atexit");
    mkdirSync(installed, { recursive: true });
    cpSync(join(repository, "dist"), join(installed, "dist"), { recursive: true });
    copyFileSync(join(repository, "package.json"), join(installed, "package.json"));
    writeFileSync(join(directory, "package.json"), '{ "type": "module", "private": true }');
    writeFileSync(join(directory, "program.mjs"), PROGRAM);
    writeFileSync(join(directory, "alone.mjs"), DURABLE_ALONE);
    for (const [name, bundle] of Object.entries(bundlers)) {
      const at = (what: string) => join(directory, name.replaceAll(/\W+/g, "-"), what);
      const program = await bundle(join(directory, "program.mjs"), at("program"));
      bundles.set(name, { program, alone: await bundle(join(directory, "alone.mjs"), at("alone")) });
    }
    // Some bundlers write down where the package was.
    renameSync(join(directory, "node_modules"), packages);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const name of Object.keys(bundlers)) {
    const bundle = () => bundles.get(name) as Readonly<Record<"program" | "alone", string>>;

    test(`${name}: what is durable is carried out`, () =>
      inPlace(async (place) => {
        await assertCarriedOut(place, [process.execPath, bundle().program]);
        await runIn(place, [process.execPath, bundle().alone]);
        await place.quiet();
        assert.deepEqual(remains(place), []);
      }));

    test(`${name}: a dead holder's lock is taken`, () =>
      inPlace(async (place) => {
        const lock = [process.execPath, bundle().program, "lock"];
        await runIn(place, [...lock, "killed"], { ATEXIT_GUARD: "off" });
        assert.notDeepEqual(remains(place), []);
        const { stdout, stderr } = await runIn(place, lock);
        assert.equal(stdout, "locked\n", stderr);
      }));

    test(`${name}: a cleanup that fails is reported, and the next one is called`, () =>
      inPlace(async (place) => {
        for (const how of ["reject", "throw"]) {
          const { code, stdout, stderr } = await runIn(place, [process.execPath, bundle().program, how]);
          assert.match(stderr, /^atexit: cleanup .* failed: Error: as it must\n/);
          assert.doesNotMatch(stderr, /given up|blocked/);
          assert.equal(stdout, "next\n");
          assert.equal(code, 1);
        }
      }));
  }

  /** Runs a bundle to its SIGKILL, and asserts that what it left has been removed, and nothing else was run. */
  const assertRemoved = (file: string) =>
    inPlace(async (place) => {
      const { signal, stderr } = await runIn(place, [process.execPath, file]);
      assert.equal(signal, "SIGKILL", stderr);
      assert.equal(stderr, "");
      await place.quiet();
      assert.deepEqual(remains(place), [], JSON.stringify(place.log()));
    });

  /** Leaves a trace where it is run. */
  const STRANGER = 'require("node:fs").writeFileSync(process.env.WORK + "/stranger", "");';

  test("runs no file of the program's own that lies beside it", async () => {
    const beside = mkdtempSync(join(directory, "beside-"));
    const file = join(beside, "program.cjs");
    copyFileSync(bundles.get("esbuild, CommonJS")?.alone ?? "", file);
    const main = join(beside, "program.mjs");
    copyFileSync(bundles.get("esbuild, ES modules")?.alone ?? "", main);
    writeFileSync(join(beside, "package.json"), "{}");
    for (const name of ["replay", "call", "main", "helper"]) writeFileSync(join(beside, `${name}.js`), STRANGER);
    await assertRemoved(main);
    await assertRemoved(file);
  });

  test("loads no file of that name but its own to report a shutdown, and says so", () =>
    inPlace(async (place) => {
      const beside = mkdtempSync(join(directory, "beside-"));
      writeFileSync(join(beside, "package.json"), "{}");
      const writer = join(beside, "atexit-trace.cjs");
      for (const ending of ["cjs", "mjs"]) {
        const bundled = bundles.get(`esbuild, ${ending === "cjs" ? "CommonJS" : "ES modules"}`)?.program ?? "";
        copyFileSync(bundled, join(beside, `program.${ending}`));
      }
      const reported = async (ending: string) => {
        const traces = join(place.work, "traces");
        const env = { ATEXIT_REPORT: "1", ATEXIT_TRACE: traces };
        const command = [process.execPath, join(beside, `program.${ending}`), "reject"];
        const { stdout, stderr } = await runIn(place, command, env);
        assert.equal(stdout, "next\n", stderr);
        return stderr.replace(/^atexit: cleanup .*\n(?: .*\n)*/m, "");
      };
      const missing = (why: string) => `atexit: no trace and no report of this shutdown: ${why}\n`;
      const elsewhere = missing(`${writer} is missing, or of another build of atexit`);
      const unknown = missing("this program is a bundle, and the other files of atexit are not with it");
      assert.deepEqual([await reported("mjs"), await reported("cjs")], [elsewhere, unknown]);
      for (const name of ["trace", "writer", "atexit-trace"]) writeFileSync(join(beside, `${name}.cjs`), STRANGER);
      assert.deepEqual([await reported("mjs"), await reported("cjs")], [elsewhere, unknown]);
      assert.deepEqual(remains(place), []);
      copyFileSync(join(packages, "atexit/dist/atexit-trace.cjs"), writer);
      assert.match(await reported("mjs"), /took \d+ ms of a grace period/);
      assert.deepEqual(remains(place), ["traces"]);
    }));

  test(
    "runs no file that another user can put where the package was when it was bundled",
    { skip: process.getuid?.() !== 0 && "takes root, to make a file of another user" },
    async () => {
      const made = mkdtempSync(join(directory, "made-"));
      const dist = join(made, "node_modules/atexit/dist");
      mkdirSync(dist, { recursive: true });
      for (const name of readdirSync(join(repository, "dist")).filter((file) => file.endsWith(".js"))) {
        writeFileSync(join(dist, name), STRANGER);
      }
      writeFileSync(join(made, "node_modules/atexit/package.json"), "{}");
      chownSync(dist, 65_534, 65_534);
      const url = pathToFileURL(join(dist, "durable.js")).href;
      await assertRemoved(await bundledWith(JSON.stringify(url), made));
    },
  );

  test("finds its helper whatever a bundler has put for its URL", async () => {
    for (const url of ['"https://cdn.example/durable.js"', '"webpack://program/durable.js"', '"/durable.js"', "null"]) {
      await assertRemoved(await bundledWith(url, directory));
    }
  });

  test("finds its helper where it was in an archive that this process alone can read", async () => {
    // As Yarn does it: node:fs sees what is in the archive.
    const seen = join(directory, "seen.cjs");
    const sees = `
      const fs = require("node:fs");
      const { existsSync, lstatSync, realpathSync } = fs;
      const isInside = (path) => String(path).includes(".zip/");
      fs.existsSync = (path) => isInside(path) || existsSync(path);
      fs.lstatSync = (path, ...rest) => lstatSync(isInside(path) ? "/" : path, ...rest);
      fs.realpathSync = (path, ...rest) => (isInside(path) ? path : realpathSync(path, ...rest));`;
    const url = pathToFileURL(join(directory, "atexit.zip/dist/durable.js")).href;
    const file = await bundledWith(JSON.stringify(url), directory);
    writeFileSync(seen, `${sees}\nrequire(${JSON.stringify(file)});`);
    await assertRemoved(seen);
  });

  /** Bundles `alone.mjs` with something else for `import.meta.url`, as some bundlers do. */
  async function bundledWith(url: string, into: string): Promise<string> {
    const { build } = load("esbuild") as { build(options: object): Promise<unknown> };
    const outfile = join(mkdtempSync(join(into, "bundle-")), "out.cjs");
    const options = { format: "cjs", bundle: true, platform: "node", logLevel: "error", nodePaths: [packages] };
    await build({
      ...options,
      entryPoints: [join(directory, "alone.mjs")],
      outfile,
      define: { "import.meta.url": url },
    });
    return outfile;
  }

  describe("in a single executable", () => {
    let executable = "";
    before(async () => {
      executable = join(directory, "executable");
      await makeExecutable(bundles.get("esbuild, CommonJS")?.program ?? "", executable, directory);
    });

    test("runs its helper in the Node that PATH leads to", () =>
      inPlace(async (place) => {
        const bin = join(directory, "bin");
        mkdirSync(bin);
        copyFileSync(process.execPath, join(bin, "node"));
        chmodSync(join(bin, "node"), 0o755);
        await assertCarriedOutBy(place, executable, `${bin}:/usr/bin:/bin`);
      }));

    test("is never started in Node's place: without a Node there is no guard, and one line says so", () =>
      inPlace(async (place) => {
        const env = { PATH: "/nowhere" };
        writeFileSync(join(place.work, "called.mjs"), CALLED);
        const { signal, stderr } = await runIn(place, [executable, "killed"], env);
        assert.equal(signal, "SIGKILL");
        assert.match(stderr, /^atexit: no guard is running: this is a single executable, .*\n$/);
        assert.deepEqual(
          childrenOf(process.pid).filter((pid) => place.guards().includes(pid)),
          [],
        );
        assert.ok(remains(place).includes("file"));
        await runIn(place, [executable, "exits"], env);
        await until(() => !remains(place).includes("file"));
        assert.deepEqual(
          remains(place).filter((name) => name !== "trace"),
          [],
          "the next start recovers in the program",
        );
      }));
  });

  async function assertCarriedOutBy(place: Place, command: string, path: string): Promise<void> {
    writeFileSync(join(place.work, "called.mjs"), CALLED);
    const { signal, stderr } = await runIn(place, [command, "killed"], { PATH: path });
    assert.equal(signal, "SIGKILL");
    assert.equal(stderr, "");
    await place.quiet();
    assert.deepEqual(remains(place), ["trace"], JSON.stringify(place.log()));
  }
});

/** Makes a single executable of this Node, as its documentation has it. */
async function makeExecutable(main: string, output: string, directory: string): Promise<void> {
  const config = join(directory, "sea.json");
  const blob = join(directory, "sea.blob");
  const hasBuild = process.allowedNodeEnvironmentFlags.size > 0 && Number(process.versions.node.split(".")[0]) >= 26;
  const options = { main, output: hasBuild ? output : blob, disableExperimentalSEAWarning: true };
  writeFileSync(config, JSON.stringify(options));
  const flag = hasBuild ? "--build-sea" : "--experimental-sea-config";
  const made = await run(process.execPath, [flag, config], { cwd: directory });
  assert.equal(made.code, 0, made.stderr);
  if (hasBuild) return;
  copyFileSync(process.execPath, output);
  chmodSync(output, 0o755);
  const postject = load.resolve("postject/dist/cli.js");
  const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
  const args = [postject, output, "NODE_SEA_BLOB", blob, "--sentinel-fuse", fuse];
  const injected = await run(process.execPath, args, { cwd: directory });
  assert.equal(injected.code, 0, injected.stderr + injected.stdout);
}
