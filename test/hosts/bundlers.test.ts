// Programs that other bundlers made into one file, of an ES module and of
// CommonJS, run where the package is not.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inPlace } from "../support/place.ts";
import { run } from "../support/run.ts";
import { bun, hosts, makeProject } from "./hosts.ts";

type Format = "esm" | "cjs";

/** Bundles `entry` into the directory, and returns the file to run. */
type Bundler = (entry: string, directory: string, format: Format) => Promise<string>;

const load = createRequire(join(hosts, "package.json"));
const imported = async <T>(name: string): Promise<T> => (await import(pathToFileURL(load.resolve(name)).href)) as T;

const ending = (format: Format): string => (format === "esm" ? "mjs" : "cjs");

const BUNDLERS: Readonly<Record<string, Bundler>> = {
  async "rspack, production"(entry, path, format) {
    const { rspack } = load("@rspack/core") as {
      rspack(
        options: object,
        done: (error: unknown, stats: { hasErrors(): boolean; toString(): string }) => void,
      ): void;
    };
    const filename = `out.${ending(format)}`;
    const esm = {
      output: { path, filename, module: true, library: { type: "module" } },
      experiments: { outputModule: true },
    };
    const cjs = { output: { path, filename } };
    await new Promise<void>((resolve, reject) => {
      rspack({ mode: "production", target: "node20", entry, ...(format === "esm" ? esm : cjs) }, (error, stats) => {
        if (error instanceof Error) reject(error);
        else if (stats.hasErrors()) reject(new Error(stats.toString()));
        else resolve();
      });
    });
    return join(path, filename);
  },
  async "vite, for servers"(entry, outDir, format) {
    const { build } = await imported<{ build(options: object): Promise<unknown> }>("vite");
    const output = { format, entryFileNames: `out.${ending(format)}` };
    await build({
      root: join(entry, ".."),
      logLevel: "silent",
      configFile: false,
      ssr: { noExternal: true },
      build: { ssr: entry, outDir, emptyOutDir: false, rollupOptions: { output } },
    });
    return join(outDir, `out.${ending(format)}`);
  },
  async tsup(entry, outDir, format) {
    const { build } = await imported<{ build(options: object): Promise<unknown> }>("tsup");
    const outExtension = () => ({ js: `.${ending(format)}` });
    const options = { format, outDir, outExtension, silent: true, config: false, noExternal: [/atexit/] };
    await build({ entry: { out: entry }, target: "node20", ...options });
    return join(outDir, `out.${ending(format)}`);
  },
  async tsdown(entry, outDir, format) {
    const { build } = await imported<{ build(options: object): Promise<unknown> }>("tsdown");
    const outExtensions = () => ({ js: `.${ending(format)}` });
    const options = {
      format,
      outDir,
      outExtensions,
      logLevel: "silent",
      config: false,
      noExternal: [/atexit/],
      dts: false,
    };
    await build({ entry: { out: entry }, platform: "node", clean: false, ...options });
    return join(outDir, `out.${ending(format)}`);
  },
  async "bun build"(entry, outDir, format) {
    const file = join(outDir, `out.${ending(format)}`);
    const args = ["build", entry, "--target=node", `--format=${format}`, `--outfile=${file}`];
    const { code, stderr } = await run(bun, args);
    assert.equal(code, 0, stderr);
    return file;
  },
};

const BODY = `
  const { WORK } = process.env;
  fs.writeFileSync(WORK + "/file", "");
  remove(WORK + "/file");
  tempDir({ dir: WORK });
  register(() => console.log("first"));
  register(async function flush() { await null; throw new Error("as it must"); });
  register(async () => { await null; console.log("last"); });
  if (process.argv[2] === "killed") setTimeout(() => process.kill(process.pid, "SIGKILL"), 50);
`;

const ENTRIES: Readonly<Record<string, string>> = {
  "entry.mjs": `
    import fs from "node:fs";
    import { register } from "atexit";
    import { remove } from "atexit/durable";
    import { tempDir } from "atexit/resources";
    ${BODY}`,
  "entry.cjs": `
    const fs = process.getBuiltinModule("node:fs"); // esbuild's ES modules have no require() for it
    const { register } = require("atexit");
    const { remove } = require("atexit/durable");
    const { tempDir } = require("atexit/resources");
    ${BODY}`,
};

describe("a bundle", () => {
  const project = makeProject();
  const bundles = new Map<string, string>();
  const modules = join(project, "node_modules");

  before(async () => {
    writeFileSync(join(project, "package.json"), '{ "private": true }');
    for (const [name, source] of Object.entries(ENTRIES)) writeFileSync(join(project, name), source);
    for (const [name, bundle] of Object.entries(BUNDLERS)) {
      for (const entry of Object.keys(ENTRIES)) {
        for (const format of ["esm", "cjs"] as const) {
          const directory = mkdtempSync(join(project, "bundle-"));
          bundles.set(`${name}, ${entry} as ${format}`, await bundle(join(project, entry), directory, format));
        }
      }
    }
    renameSync(modules, join(project, "packages"));
  });

  for (const name of Object.keys(BUNDLERS)) {
    for (const entry of Object.keys(ENTRIES)) {
      for (const format of ["esm", "cjs"]) {
        const title = `${name}, ${entry} as ${format}`;
        test(title, () =>
          inPlace(async ({ environment: env, work: cwd, quiet }) => {
            const file = bundles.get(title) ?? "";
            const ended = await run(process.execPath, [file], { env, cwd });
            assert.deepEqual([ended.code, ended.stdout], [1, "last\nfirst\n"], ended.stderr);
            assert.match(ended.stderr, /^atexit: cleanup .* failed: Error: as it must\n/);
            assert.doesNotMatch(ended.stderr, /given up|blocked/);
            const killed = await run(process.execPath, [file, "killed"], { env, cwd });
            assert.deepEqual([killed.signal, killed.stderr], ["SIGKILL", ""]);
            await quiet();
            assert.deepEqual(readdirSync(cwd), []);
          }),
        );
      }
    }
  }
});
