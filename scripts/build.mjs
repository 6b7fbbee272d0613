// Builds what is published: one JavaScript file for each entry point, since
// each file that a program loads costs it half a millisecond, and the types.

import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { build } from "esbuild";

// Beside the old build until it is complete: a program that runs meanwhile finds one or the other.
const fresh = mkdtempSync("dist-");
try {
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", fresh], { stdio: "inherit" });
  await build({
    entryPoints: ["src/index.ts"],
    outdir: fresh,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    minify: true, // what V8 has to read is what a program waits for at its start
    sourcemap: true,
    logLevel: "warning",
  });
  rmSync("dist", { recursive: true, force: true });
  renameSync(fresh, "dist");
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
