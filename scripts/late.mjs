// Bundles an entry point into one file, and what it imports `with { type: "late" }`
// as text in that file (see src/late.ts).

import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const LATE = fileURLToPath(new URL("../src/late.ts", import.meta.url));

/**
 * As esbuild's `build`, for one entry point.
 *
 * @param {import("esbuild").BuildOptions} options
 */
export async function bundle(options) {
  const { plugins = [] } = options;
  const own = await inputsOf(options);
  const partOf = new Map();
  const asText = {
    name: "late-parts",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[./]/ }, ({ path, resolveDir, with: attributes }) =>
        isLate(attributes) ? { path: source(resolveDir, path), namespace: "late" } : undefined,
      );
      onLoad({ filter: /./, namespace: "late" }, async ({ path }) => {
        // What is code from the start for another reason is not text as well.
        if (own.has(path)) return reExport(path);
        const part = await partFrom(path, options, own);
        for (const input of part.inputs) {
          const other = partOf.get(input) ?? path;
          if (other !== path && hasState(input))
            throw new Error(`${input} would be in two parts, ${name(other)} and ${name(path)}`);
          partOf.set(input, path);
        }
        return { contents: wrapper(part), resolveDir: dirname(path) };
      });
    },
  };
  // esbuild would choose templates: V8 needs 0.9 million instructions less to read the core's texts in quotes.
  await build({ ...options, supported: { "template-literal": false }, plugins: [asText, ...plugins] });
}

const leaveOutLate = {
  name: "late-left-out",
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, with: attributes }) =>
      isLate(attributes) ? { path, external: true } : undefined,
    );
  },
};

/** The modules of an entry point that are code from the start: what its late parts share with it. */
async function inputsOf(options) {
  const { metafile } = await build({
    ...options,
    plugins: [leaveOutLate, ...(options.plugins ?? [])],
    write: false,
    metafile: true,
    sourcemap: false,
  });
  return inputsIn(metafile);
}

/** One part, as the body of a function that is given what it shares. */
async function partFrom(path, options, own) {
  const { define, lineLimit, target, minify, ignoreAnnotations, logLevel, plugins = [] } = options;
  const within = await inputsOf({ ...options, entryPoints: [path] });
  /** What it imports from the file that it is in, or from beside it. */
  const shared = [];
  const buildPart = () =>
    build({
      entryPoints: [path],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "node",
      ...{ lineLimit, target, minify, ignoreAnnotations, logLevel },
      define: { ...define, "import.meta.url": "MODULE_URL" },
      plugins: [sharing(shared, own, within, plugins), ...plugins],
    });
  // Modules are found in any order: with their numbers settled, each build of the same sources is the same.
  await buildPart();
  shared.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : Number(a.late) - Number(b.late)));
  const { outputFiles, metafile } = await buildPart();
  const [foreign] = Object.values(metafile.outputs)[0].imports;
  if (foreign !== undefined) throw new Error(`${name(path)} imports ${foreign.path}, which a part cannot`);
  const { text } = outputFiles[0];
  const body = bodyOf(text);
  if (body === undefined) throw new Error(`${name(path)} has no default export, and is no part`);
  const modules = shared.map((module, index) => ({ ...module, names: namesTaken(text, index) }));
  return { name: name(path), body, modules, inputs: inputsIn(metafile) };
}

/** Turns each import of what a part shares into calls of SHARED(module, name), and notes the modules. */
function sharing(shared, own, within, plugins) {
  const share = ({ from, source = from, late = false }) => {
    const known = shared.findIndex((other) => other.from === from && other.late === late);
    const index = known === -1 ? shared.push({ from, source, late }) - 1 : known;
    return { path: String(index), namespace: "shared" };
  };
  return {
    name: "late-shared",
    setup({ onResolve, onLoad, resolve: resolveOther }) {
      onResolve({ filter: /^\./ }, async ({ path, resolveDir, with: attributes, kind, pluginData }) => {
        if (kind === "entry-point" || pluginData === "asked") return undefined;
        const from = source(resolveDir, path);
        if (own.has(from)) return share({ from });
        // What is code in the part for another reason is not a part of its own.
        if (isLate(attributes) && within.has(from)) return { path: from, namespace: "late" };
        if (isLate(attributes)) return share({ from, late: true });
        const face = await resolveOther(path, { resolveDir, kind, with: attributes, pluginData: "asked" });
        return face.external ? share({ from: face.path, source: from }) : undefined;
      });
      onLoad({ filter: /./, namespace: "late" }, ({ path }) => reExport(path));
      // What is not used of this is left out by esbuild.
      onLoad({ filter: /./, namespace: "shared" }, async ({ path: index }) => {
        const { source, late } = shared[index];
        const names = late ? ["default"] : await exportsOf(source, plugins);
        const taken = (name) => `/* @__PURE__ */ SHARED(${index}, ${JSON.stringify(name)})`;
        const statement = (name) => `export ${name === "default" ? name : `const ${name} =`} ${taken(name)};`;
        return { contents: names.map(statement).join("\n") };
      });
    },
  };
}

/** A module that imports nothing, as a function's body that returns its default export. */
function bodyOf(text) {
  const [statement, names] = /export\s*\{([^}]*)\};?\s*$/.exec(text) ?? [];
  const result = /([\w$]+)\s+as\s+default\b/.exec(names ?? "")?.[1];
  return result && `"use strict";${text.slice(0, -statement.length)}return ${result}`;
}

/** What esbuild has kept of a shared module. */
function namesTaken(text, index) {
  const whole = text.replaceAll("\\\n", ""); // a string may have been broken at the end of a line
  const taken = whole.matchAll(/\bSHARED\(\s*(\d+)\s*,\s*"([\w$]+)"\s*\)/g);
  return [...taken].filter(([, module]) => Number(module) === index).map(([, , name]) => name);
}

/** Whether there would be two of something, where the module were in two parts: it has more than functions. */
function hasState(path) {
  return /^(?:export )?(?:const|let|class)\b/m.test(readFileSync(path, "utf8"));
}

function reExport(path) {
  return { contents: `export { default } from ${JSON.stringify(path)};`, resolveDir: dirname(path) };
}

/** The names that a module exports. */
async function exportsOf(path, plugins) {
  const { metafile } = await build({
    entryPoints: [path],
    bundle: true,
    write: false,
    metafile: true,
    outdir: "unwritten",
    format: "esm",
    platform: "node",
    plugins: [leaveOutLate, ...plugins],
  });
  return Object.values(metafile.outputs)[0].exports;
}

/** The module in whose place the text stands. */
function wrapper({ name, body, modules }) {
  const local = (name, index) => `${name}_${index}`;
  const list = (write, names, index) => names.map((name) => write(name, local(name, index))).join(", ");
  const imports = modules.map(({ from, late, names }, index) => {
    const bindings = list((name, as) => `${name} as ${as}`, names, index);
    return `import { ${bindings} } from ${JSON.stringify(from)}${late ? ' with { type: "late" }' : ""};`;
  });
  const shared = modules.map(({ names }, index) => `{ ${list((name, as) => `${name}: ${as}`, names, index)} }`);
  return [
    `import { late } from ${JSON.stringify(LATE)};`,
    ...imports,
    `export default late(${JSON.stringify(body)}, ${JSON.stringify(name)}, () => [import.meta.url, [${shared.join(", ")}]]);`,
  ].join("\n");
}

function isLate({ type }) {
  return type === "late";
}

function inputsIn({ inputs }) {
  const files = Object.keys(inputs).filter((path) => !/^(?:shared|late):/.test(path));
  return new Set(files.map((path) => resolve(path)));
}

/** The source of what an import names. */
function source(directory, path) {
  return resolve(directory, path.replace(/\.js$/, ".ts"));
}

function name(path) {
  return relative("src", path).replace(/\.ts$/, "");
}
