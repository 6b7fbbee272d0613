// Builds what is published: one JavaScript file for each entry point, since each
// file that a program loads costs it half a millisecond, and the types; what
// users import, as ES module and as CommonJS.
//
// The files are as readable as the sources: names are kept, nothing is minified,
// and so there are no source maps.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";

/** What users import. */
const PUBLIC = {
  index: "src/index.ts",
  durable: "src/durable/index.ts",
  resources: "src/resources/index.ts",
  app: "src/app/index.ts",
  scope: "src/scope/index.ts",
  lease: "src/lease/index.ts",
  keeper: "src/keeper/index.ts",
  postgres: "src/postgres/index.ts",
  etcd: "src/etcd/index.ts",
  kubernetes: "src/kubernetes/index.ts",
};

/** The APIs of other packages, on what users import. What each is when it is required, its own package decides. */
const COMPAT = {
  "compat-async-exit-hook": "src/compat/async-exit-hook.ts",
  "compat-close-with-grace": "src/compat/close-with-grace.ts",
  "compat-exit-hook": "src/compat/exit-hook.ts",
  "compat-tmp": "src/compat/tmp.ts",
};

/** Those of packages that are no ES modules: to require them is to have their default export. */
const IS_DEFAULT = { "compat-async-exit-hook": true, "compat-close-with-grace": true, "compat-tmp": true };

/** In CommonJS, which Node has running sooner, and without loading its own modules whole: its start is what death waits for. */
const HELPER = { "atexit-helper": "src/durable/replay/main.ts" };

/** The programs that the package starts; src/platform/package-files.ts knows them as well. */
const PROGRAMS = {
  commands: "src/cli/commands.ts",
  inspect: "src/cli/inspect.ts",
  doctor: "src/cli/doctor.ts",
  report: "src/cli/report.ts",
  "keeper-command": "src/cli/keeper.ts",
  "keeper-actions": "src/keeper/action-program.ts",
  "lease-command": "src/cli/lease.ts",
  "etcd-give-back": "src/etcd/give-back.ts",
  "postgres-give-back": "src/postgres/give-back.ts",
  tour: "src/tour/tour.ts",
  "tour-program": "src/tour/program.ts",
  "tour-host": "src/tour/host.ts",
};

/** What writes traces, in CommonJS: it is loaded in the middle of a shutdown, where nothing can be waited for. */
const TRACE_WRITER = { "atexit-trace": "src/trace/writer.ts" };

/**
 * The command, with all that `atexit run` needs: Node has one CommonJS file
 * running 8 ms sooner than four ES modules.
 */
const IN_COMMONJS = { cli: "src/cli/main.ts", command: "src/cli/command.ts" };

const ASSETS = ["src/trace/page.js", "src/trace/page.css", "src/trace/colours.css"];

/** `from "./a.ts"`, and `import("./a.ts"`; without the ending. */
const IMPORTED_TYPES = /((?:from|import\()\s*"\.[^"]*)\.ts"/g;

/** An entry point stands on the public modules of the others, and holds no second copy of them. */
const publicModulesAreExternal = (ending) => ({
  name: "public-modules-are-external",
  setup({ onResolve }) {
    const modules = new Map(Object.entries(PUBLIC).map(([name, path]) => [resolve(path), `./${name}${ending}`]));
    onResolve({ filter: /\/index\.ts$/ }, ({ path, resolveDir, kind }) => {
      const module = kind === "entry-point" ? undefined : modules.get(resolve(resolveDir, path));
      return module === undefined ? undefined : { path: module, external: true };
    });
  },
});

/** Puts where it is asked for by what the helper is known, and its text, a line a line. */
const helperTextOf = (program, hasText = true) => ({
  name: "helper-text",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]program-text\.ts$/ }, ({ path }) => {
      const lines = program.split("\n").map((line) => `    ${JSON.stringify(line)},\n`);
      const digest = createHash("sha256").update(program).digest("hex").slice(0, 12);
      const known = readFileSync(path, "utf8")
        .replace('PROGRAM_DIGEST: string = ""', `PROGRAM_DIGEST = "${digest}"`)
        .replace("PROGRAM_SIZE: number = 0", `PROGRAM_SIZE = ${Buffer.byteLength(program)}`);
      const text = () => `return [\n${lines.join("")}  ].join("\\n");`;
      return { loader: "ts", contents: hasText ? known.replace('return "";', text) : known };
    });
  },
});

/** Puts where it is asked for by what the file that writes traces is known. */
const traceWriterDigest = (program) => ({
  name: "trace-writer-digest",
  setup({ onLoad }) {
    const digest = createHash("sha256").update(program).digest("hex");
    onLoad({ filter: /[\\/]load-trace-writer\.ts$/ }, ({ path }) => {
      const contents = readFileSync(path, "utf8").replace('DIGEST: string = ""', `DIGEST: string = "${digest}"`);
      return { loader: "ts", contents };
    });
  },
});

/** @type {import("esbuild").BuildOptions} */
export const OPTIONS = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  packages: "external",
  logLevel: "warning",
};

/**
 * What CommonJS has for `import.meta.url`. A bundler may have made an ES module
 * of it, where there is no file's name, and no `require`.
 *
 * @type {import("esbuild").BuildOptions}
 */
const COMMONJS = {
  ...OPTIONS,
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  define: { "import.meta.url": "MODULE.url" },
  banner: {
    js: `"use strict";
const MODULE = {
  get url() {
    return typeof __filename === "string" ? process.getBuiltinModule("url").pathToFileURL(__filename).href : undefined;
  },
};`,
  },
};

if (import.meta.filename === process.argv[1]) {
  // Beside the old build until it is complete: a program that runs meanwhile finds one or the other.
  const fresh = mkdtempSync("dist-");
  try {
    await buildInto(fresh);
    rmSync("dist", { recursive: true, force: true });
    renameSync(fresh, "dist");
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** @param {string} outdir */
async function buildInto(outdir) {
  await build({ ...COMMONJS, entryPoints: { ...HELPER, ...TRACE_WRITER }, outdir });
  const program = readFileSync(join(outdir, "atexit-helper.cjs"), "utf8");
  const traceWriter = traceWriterDigest(readFileSync(join(outdir, "atexit-trace.cjs")));
  const plugins = (ending) => [publicModulesAreExternal(ending), helperTextOf(program), traceWriter];
  await build({ ...OPTIONS, entryPoints: { ...PUBLIC, ...COMPAT, ...PROGRAMS }, outdir, plugins: plugins(".js") });
  await build({ ...COMMONJS, entryPoints: PUBLIC, outdir, plugins: plugins(".cjs") });
  for (const [name, path] of Object.entries(COMPAT)) {
    const footer = IS_DEFAULT[name] ? { js: "module.exports = module.exports.default;" } : {};
    await build({ ...COMMONJS, entryPoints: { [name]: path }, outdir, footer, plugins: plugins(".cjs") });
  }
  // The command is never without the other file.
  await build({ ...COMMONJS, entryPoints: IN_COMMONJS, outdir, plugins: [helperTextOf(program, false), traceWriter] });
  chmodSync(join(outdir, "cli.cjs"), 0o755);
  for (const asset of ASSETS) copyFileSync(asset, join(outdir, basename(asset)));
  const types = join(outdir, "types");
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", types], {
    stdio: "inherit",
  });
  const copied = new Set();
  for (const source of Object.values({ ...PUBLIC, ...COMPAT })) {
    copyTypes(join(types, source.replace(/^src\/|\.ts$/g, "") + ".d.ts"), types, outdir, copied);
  }
  for (const [name, path] of Object.entries(COMPAT)) if (IS_DEFAULT[name]) exportAsDefault(outdir, path);
  rmSync(types, { recursive: true });
}

/** Has the types for CommonJS say that the module is its default export. */
function exportAsDefault(to, path) {
  const file = relative("src", path).replace(/\.ts$/, ".d.cts");
  const text = readFileSync(join(to, file), "utf8")
    .replace(/^export default /m, "export = ")
    .replaceAll(/^export (?:declare const|\{).*;\n/gm, "")
    .replaceAll(/^export declare const \{?[^;]*;\n/gm, "");
  writeFileSync(join(to, file), text);
}

/**
 * Copies a declaration file and those that it imports, for ES modules and for
 * CommonJS: what users can reach, and not the types of what is inside. Imports get
 * the names of JavaScript files, which every version of TypeScript understands.
 */
function copyTypes(file, from, to, copied) {
  if (copied.has(file)) return;
  copied.add(file);
  const text = readFileSync(file, "utf8");
  const target = join(to, relative(from, file));
  mkdirSync(dirname(target), { recursive: true });
  for (const [types, module] of [
    [".d.ts", ".js"],
    [".d.cts", ".cjs"],
  ]) {
    writeFileSync(
      target.replace(/\.d\.ts$/, types),
      text.replaceAll(IMPORTED_TYPES, (_, specifier) => `${specifier}${module}"`),
    );
  }
  for (const [, specifier] of text.matchAll(IMPORTED_TYPES)) {
    const imported = resolve(dirname(file), specifier.slice(specifier.indexOf('"') + 1));
    copyTypes(relative("", `${imported}.d.ts`), from, to, copied);
  }
}
