// Builds the package and ends processes in every way:
// tour.mjs tour [part of a way out's name] shows them, tour.mjs table writes the README's table.

import { execFileSync, spawnSync } from "node:child_process";

const [program, ...args] = process.argv.slice(2);
execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
if (program === "table")
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { stdio: "inherit" });
const command = program === "table" ? ["build/scripts/ways-out-table.js"] : ["dist/cli.cjs", "tour"];
const { status } = spawnSync(process.execPath, [...command, ...args], { stdio: "inherit" });
process.exitCode = status ?? 1;
