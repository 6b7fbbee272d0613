// Builds what is published: one JavaScript file for each entry point, since
// each file that a program loads costs it half a millisecond, and the types.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { bundle } from "./late.mjs";

/** What users import, and the programs that the package starts. */
const ENTRIES = {
  index: "src/index.ts",
  durable: "src/durable/index.ts",
  resources: "src/resources/index.ts",
  app: "src/app/index.ts",
  replay: "src/durable/replay-main.ts",
  call: "src/durable/call-main.ts",
  look: "src/cli/look.ts",
  doctor: "src/cli/doctor.ts",
  report: "src/cli/report.ts",
};

/** What the package starts, or loads, where ES modules take too long, or cannot be waited for. */
const COMMONJS = { cli: "src/cli/main.ts", trace: "src/trace/observer.ts" };

/** What `atexit tour` runs: it uses the package as its users do, by its name. */
const TOUR = {
  "tour/tour": "examples/tour/tour.ts",
  "tour/program": "examples/tour/program.ts",
  "tour/host": "examples/tour/host.ts",
};

/** An entry point stands on the faces of the others, and holds no second copy of them. */
const facesAreExternal = {
  name: "faces-are-external",
  setup({ onResolve }) {
    const faces = new Map(["index", "durable", "resources"].map((name) => [resolve(ENTRIES[name]), `./${name}.js`]));
    onResolve({ filter: /\/index\.js$/ }, ({ path, resolveDir, kind }) => {
      const face = kind === "entry-point" ? undefined : faces.get(resolve(resolveDir, path.replace(/\.js$/, ".ts")));
      return face === undefined ? undefined : { path: face, external: true };
    });
  },
};

// Beside the old build until it is complete: a program that runs meanwhile finds one or the other.
const fresh = mkdtempSync("dist-");
try {
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", fresh], { stdio: "inherit" });
  const options = {
    outdir: fresh,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: true,
    logLevel: "warning",
  };
  // What V8 has to read is what a program waits for at its start; and Node shows the line that throws.
  const small = { minify: true, lineLimit: 120 };
  await bundleAll(ENTRIES, { ...options, plugins: [facesAreExternal], ...small });
  // The command is one CommonJS file with all that it needs: Node has it running 8 ms sooner than four ES modules.
  // What writes traces is loaded in the middle of a shutdown, where nothing can be waited for.
  await bundleAll(COMMONJS, {
    ...options,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    ignoreAnnotations: true,
    define: { "import.meta.url": "MODULE.url" },
    banner: { js: 'const MODULE = { get url() { return require("node:url").pathToFileURL(__filename).href; } };' },
    ...small,
  });
  await bundleAll(TOUR, { ...options, packages: "external" });
  chmodSync(join(fresh, "cli.cjs"), 0o755);
  rmSync("dist", { recursive: true, force: true });
  renameSync(fresh, "dist");
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

async function bundleAll(entries, options) {
  for (const [name, path] of Object.entries(entries)) await bundle({ ...options, entryPoints: { [name]: path } });
}
