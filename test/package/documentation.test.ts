// The examples of the documentation, run as a reader would run them: those in
// the doc comments of the face, in the readme and in the guides.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, it } from "node:test";
import { transformSync } from "esbuild";
import { makeProgramDirectory, repository } from "../support/package-under-test.ts";
import { inPlace } from "../support/place.ts";
import { run } from "../support/run.ts";

interface Example {
  /** Where it stands: `src/index.ts:63`. */
  readonly place: string;
  readonly source: string;
}

/** What stands between the fences of each block that is marked `js` and imports this package. */
function examplesOf(file: string): Example[] {
  const text = readFileSync(join(repository, file), "utf8");
  // Without the `*` at the beginning of a doc comment's lines.
  const plain = file.endsWith(".ts") ? text.replace(/^ *\* ?/gm, "") : text;
  return [...plain.matchAll(/^( *)```js\n(.*?)^\1```$/gms)]
    .map(({ index, 1: indent = "", 2: source = "" }) => ({
      place: `${file}:${plain.slice(0, index).split("\n").length + 1}`,
      source: source.replace(new RegExp(`^${indent}`, "gm"), ""),
    }))
    .filter(({ source }) => /(?:from |require\()"atexit[/"]/.test(source));
}

/** The status that the example asks for with `exit(3)` or `process.exit(3)`, or 0. */
function statusIn(source: string): number {
  return Number(/\bexit(?:Now)?\((\d+)\)/.exec(source)?.[1] ?? 0);
}

const guides = existsSync(join(repository, "docs"))
  ? readdirSync(join(repository, "docs"), { recursive: true }).map(String)
  : [];
const files = [
  "src/index.ts",
  "src/durable/index.ts",
  "src/resources/index.ts",
  "src/app/index.ts",
  "src/scope/index.ts",
  "src/lease/index.ts",
  "src/keeper/index.ts",
  "src/postgres/index.ts",
  "src/etcd/index.ts",
  "src/kubernetes/index.ts",
  "README.md",
  ...guides.map((name) => `docs/${name}`),
].filter((file) => /\.(?:ts|md)$/.test(file) && existsSync(join(repository, file)));
const examples = files.flatMap(examplesOf);

/** They find the package by its name there. */
const directory = makeProgramDirectory();
after(() => rmSync(directory, { recursive: true, force: true }));

for (const [face, least] of [
  ["src/index.ts", 9],
  ["src/durable/index.ts", 7],
  ["src/resources/index.ts", 13],
  ["src/app/index.ts", 1],
  ["src/scope/index.ts", 2],
  ["src/lease/index.ts", 2],
  ["src/keeper/index.ts", 4],
  ["src/postgres/index.ts", 2],
  ["src/etcd/index.ts", 1],
  ["src/kubernetes/index.ts", 1],
] as const) {
  it(`every function of ${face} has an example`, () => {
    const text = readFileSync(join(repository, face), "utf8");
    const comments = [...text.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\nexport (?:async )?(?:function|const) (\w+)/gs)];
    assert.ok(comments.length >= least, "the doc comments are found");
    for (const { 1: comment = "", 2: name = "" } of comments) {
      if (comment.includes("@internal")) continue;
      // In `ts`: one that needs what a test machine does not have.
      assert.match(comment, new RegExp(`@example[^]*\`\`\`[jt]s[^]*\\b${name}\\b[^]*\`\`\``), name);
    }
  });
}

/** What users come from: the program before, of each page that says how to leave another package. */
const before = guides
  .filter((name) => name.startsWith("from/"))
  .map((name) => {
    const [, language, source = ""] =
      /^Before:\n\n```(js|python)\n(.*?)^```$/ms.exec(readFileSync(join(repository, "docs", name), "utf8")) ?? [];
    return { name, language, source };
  });

for (const { name, language, source } of before) {
  it(`the program before, of docs/${name}, runs`, (t) =>
    inPlace(async ({ work: cwd, environment: env }) => {
      const isPython = language === "python";
      const needed = isPython ? /^from (filelock) /m.exec(source)?.[1] : /from "((?!node:)[^"]+)"/.exec(source)?.[1];
      if (!isPython && needed !== undefined && !existsSync(join(repository, "node_modules", needed))) {
        t.skip(`${needed} is not installed`);
        return;
      }
      const path = join(directory, isPython ? "before.py" : `before-${name.slice("from/".length, -".md".length)}.mjs`);
      writeFileSync(path, source);
      const ended = await run(isPython ? "python3" : process.execPath, [path], { cwd, env, limit: 20_000 });
      if (isPython && ended.stderr.includes("ModuleNotFoundError: No module named 'filelock'")) {
        t.skip("filelock is not installed");
        return;
      }
      const status = Number(/\bgracefulExit\((\d+)\)/.exec(source)?.[1] ?? 0);
      assert.deepEqual([ended.code, ended.signal, ended.stderr], [status, null, ""]);
      assert.deepEqual(readdirSync(cwd), []);
    }));
}

for (const [n, { place, source }] of examples.entries()) {
  it(`the example at ${place} runs, says nothing on stderr and leaves no file`, () =>
    inPlace(async ({ work: cwd, journals }) => {
      const path = join(directory, source.includes("require(") ? `${n}.cjs` : `${n}.mjs`);
      // Node 20 and 22 know no `using`, but from a compiler.
      const isOfTomorrow = /^ *(?:await )?using /m.test(source);
      writeFileSync(path, isOfTomorrow ? transformSync(source, { target: "node20.19" }).code : source);
      const { code, signal, stderr } = await run(process.execPath, [path], {
        cwd,
        env: { ...process.env, HOME: cwd, XDG_STATE_HOME: undefined, ATEXIT_DIR: journals },
        limit: 10_000,
      });
      assert.deepEqual({ code, signal, stderr }, { code: statusIn(source), signal: null, stderr: "" });
      // Logs stay, as they are meant to, and the directories that they are in.
      const left = readdirSync(cwd, { recursive: true, encoding: "utf8" });
      const kept = /^(?:state|\.local|\.local\/state|\.local\/state\/myapp|.*\.log)$/;
      assert.deepEqual(
        left.filter((path) => !kept.test(path)),
        [],
      );
    }));
}
