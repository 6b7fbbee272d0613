// Builds everything and runs all tests, or those whose path contains one of
// the arguments.

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { provideNodes } from "./nodes.mjs";

execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
rmSync("build", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.json"], { stdio: "inherit" });
provideNodes();

const wanted = process.argv.slice(2);
const files = readdirSync("build/test", { recursive: true })
  .map((file) => `build/test/${file}`)
  .filter((file) => file.endsWith(".test.js") && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .sort();
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], { stdio: "inherit" });
process.exitCode = status ?? 1;
