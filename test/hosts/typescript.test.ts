// Projects in TypeScript, as old as they may be: they compile, the types of the
// package included, and what comes out of it runs.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { repository } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";
import { hosts, makeProject } from "./hosts.ts";

const COMPILERS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["5.4", "5.7", "5.9", "6"].map((version) => [
      `TypeScript ${version}`,
      join(hosts, "node_modules", `typescript-${version}`, "lib/tsc.js"),
    ]),
  ),
  "the newest TypeScript": join(repository, "node_modules/typescript/bin/tsc"),
};

/** `commonjs` goes by `main`, `types` and `typesVersions` with the older compilers. */
const MODULES = ["commonjs", "node16", "nodenext"];

/** How a module is found and which Node's types there are have nothing to do with one another, and each takes seconds. */
const NODE_TYPES: readonly [node: string, types: string, modules: readonly string[]][] = [
  ["Node 20", "@types/node", MODULES],
  ["Node 22", "types-node-22", ["nodenext"]],
  ["Node 24", "types-node-24", ["nodenext"]],
  ["the newest Node", "types-node-26", ["nodenext"]],
];

const PROGRAM = `
  import { count, exit, register, SystemExit } from "atexit";
  import { start } from "atexit/app";
  import { remove } from "atexit/durable";
  import { closing, LockHeldError } from "atexit/resources";
  const first = register((what: string) => console.log(what), "first");
  closing({ close: async () => console.log("second") });
  remove("scratch").cancel();
  const isError: boolean = new SystemExit(1) instanceof Error;
  console.log(typeof start, typeof LockHeldError, isError, typeof first.cancel, count());
  exit(3);`;

const OPTIONS = {
  outDir: "out",
  target: "es2022",
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  types: ["node"],
};

const project = makeProject();

/** What a compiler says, but for what it says of the types of a Node that is newer than itself. */
async function complaints(compiler: string, directory: string, module: string): Promise<string[]> {
  const { stdout, stderr } = await run(process.execPath, [compiler, "-p", ".", "--module", module], { cwd: directory });
  assert.equal(stderr, "");
  const lines = stdout.split("\n").filter((line) => /^\S/.test(line));
  return lines.filter((line) => !/(?:@types\/node|types-node-\d+|undici-types)\//.test(line));
}

for (const [name, compiler] of Object.entries(COMPILERS)) {
  describe(name, { concurrency: 2 }, () => {
    for (const [node, types, modules] of NODE_TYPES) {
      for (const module of modules) {
        test(`module: ${module}, with the types of ${node}`, async () => {
          const directory = mkdtempSync(join(project, "typescript-"));
          mkdirSync(join(directory, "node_modules/@types"), { recursive: true });
          symlinkSync(join(repository, "node_modules", types), join(directory, "node_modules/@types/node"));
          writeFileSync(join(directory, "common.ts"), PROGRAM);
          const files = ["common.ts"];
          if (module !== "commonjs") {
            writeFileSync(join(directory, "module.mts"), PROGRAM);
            files.push("module.mts");
          }
          writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS, files }));
          assert.deepEqual(await complaints(compiler, directory, module), []);
          for (const file of files) {
            const program = join(directory, "out", file.replace("ts", "js"));
            assert.equal(/\brequire\("atexit"\)/.test(readFileSync(program, "utf8")), file === "common.ts");
            const ended = await run(process.execPath, [program], { cwd: directory });
            assert.deepEqual(ended, {
              code: 3,
              signal: null,
              stdout: "function function true function 2\nsecond\nfirst\n",
              stderr: "",
            });
          }
        });
      }
    }
  });
}
