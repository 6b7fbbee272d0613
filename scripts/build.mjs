// Builds what is published: one JavaScript file for each entry point, since each
// file that a program loads costs it half a millisecond, and the types.
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

/** What users import, and the programs that the package starts; src/platform/package-files.ts knows them as well. */
const ENTRIES = {
  index: "src/index.ts",
  durable: "src/durable/index.ts",
  resources: "src/resources/index.ts",
  app: "src/app/index.ts",
  "atexit-helper": "src/durable/replay/main.ts",
  commands: "src/cli/commands.ts",
  inspect: "src/cli/inspect.ts",
  doctor: "src/cli/doctor.ts",
  report: "src/cli/report.ts",
  tour: "src/tour/tour.ts",
  "tour-program": "src/tour/program.ts",
  "tour-host": "src/tour/host.ts",
};

/**
 * The command, with all that `atexit run` needs: Node has one CommonJS file
 * running 8 ms sooner than four ES modules. And what writes traces: it is loaded
 * in the middle of a shutdown, where nothing can be waited for.
 */
const COMMONJS = { cli: "src/cli/main.ts", command: "src/cli/command.ts", trace: "src/trace/writer.ts" };

const ASSETS = ["src/trace/page.js", "src/trace/page.css", "src/trace/colours.css"];

/** An entry point stands on the public modules of the others, and holds no second copy of them. */
const publicModulesAreExternal = {
  name: "public-modules-are-external",
  setup({ onResolve }) {
    const modules = new Map(["index", "durable", "resources"].map((name) => [resolve(ENTRIES[name]), `./${name}.js`]));
    onResolve({ filter: /\/index\.ts$/ }, ({ path, resolveDir, kind }) => {
      const module = kind === "entry-point" ? undefined : modules.get(resolve(resolveDir, path));
      return module === undefined ? undefined : { path: module, external: true };
    });
  },
};

/** Puts where it is asked for by what the helper is known, and its text, a line a line. */
const helperTextOf = (program, hasText = true) => ({
  name: "helper-text",
  setup({ onLoad }) {
    onLoad({ filter: /\/program-text\.ts$/ }, ({ path }) => {
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

/** @type {import("esbuild").BuildOptions} */
export const OPTIONS = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  packages: "external",
  logLevel: "warning",
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
  const { "atexit-helper": helper, ...others } = ENTRIES;
  await build({ ...OPTIONS, entryPoints: { "atexit-helper": helper }, outdir });
  const program = readFileSync(join(outdir, "atexit-helper.js"), "utf8");
  await build({ ...OPTIONS, entryPoints: others, outdir, plugins: [publicModulesAreExternal, helperTextOf(program)] });
  await build({
    ...OPTIONS,
    entryPoints: COMMONJS,
    outdir,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    plugins: [helperTextOf(program, false)], // the command is never without the other file
    define: { "import.meta.url": "MODULE.url" },
    banner: { js: 'const MODULE = { get url() { return require("node:url").pathToFileURL(__filename).href; } };' },
  });
  chmodSync(join(outdir, "cli.cjs"), 0o755);
  for (const asset of ASSETS) copyFileSync(asset, join(outdir, basename(asset)));
  const types = join(outdir, "types");
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", types], { stdio: "inherit" });
  const copied = new Set();
  for (const entry of ["index", "durable/index", "resources/index", "app/index"]) {
    copyTypes(join(types, `${entry}.d.ts`), types, outdir, copied);
  }
  rmSync(types, { recursive: true });
}

/**
 * Copies a declaration file and those that it imports: what users can reach, and
 * not the types of what is inside. Imports get the names of JavaScript files,
 * which every version of TypeScript understands.
 */
function copyTypes(file, from, to, copied) {
  if (copied.has(file)) return;
  copied.add(file);
  const text = readFileSync(file, "utf8");
  const target = join(to, relative(from, file));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(
    target,
    text.replaceAll(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, (_, specifier) => {
      const imported = resolve(dirname(file), specifier.slice(specifier.indexOf('"') + 1));
      copyTypes(relative("", `${imported}.d.ts`), from, to, copied);
      return `${specifier}.js"`;
    }),
  );
}
