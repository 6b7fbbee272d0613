// Builds the package and runs a program of examples/tour on it:
// tour.mjs tour [part of a way out's name], or tour.mjs table

import { execFileSync, spawnSync } from "node:child_process";

const [program, ...args] = process.argv.slice(2);
execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
if (program !== "tour") execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.json"], { stdio: "inherit" });
const command = program === "tour" ? ["dist/cli.cjs", "tour"] : [`build/examples/tour/${program}.js`];
const { status } = spawnSync(process.execPath, [...command, ...args], { stdio: "inherit" });
process.exitCode = status ?? 1;
