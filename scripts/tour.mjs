// Builds the package and shows the main job at work: npm run tour [part of a
// way out's name]

import { execFileSync, spawnSync } from "node:child_process";

execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.json"], { stdio: "inherit" });
const { status } = spawnSync(process.execPath, ["build/examples/tour/tour.js", ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
