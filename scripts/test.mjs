// Builds everything and runs all tests, or those whose path contains one of
// the arguments.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provideNodes } from "./nodes.mjs";
import { provideChromium, provideInits, providePostgres, provideRedis } from "./servers.mjs";

execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
rmSync("build", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.json"], { stdio: "inherit" });
provideNodes();
provideChromium(); // once, and not by several tests at a time

const wanted = process.argv.slice(2);
const files = readdirSync("build/test", { recursive: true })
  .map((file) => `build/test/${file}`)
  .filter((file) => file.endsWith(".test.js") && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .sort();

// Recipes of the test processes themselves: their journals stay out of the user's own directory.
const journals = mkdtempSync(join(tmpdir(), "atexit-journals-"));
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], {
  stdio: "inherit",
  env: { ...process.env, ATEXIT_DIR: journals },
});
rmSync(journals, { recursive: true, force: true });
process.exitCode = status ?? 1;

// Where one cannot be had, its tests do not run. That is the last that is said, and in CI a failure.
for (const [name, { missing }] of [
  ["PostgreSQL", providePostgres()],
  ["Redis", provideRedis()],
  ["tini and dumb-init", provideInits()],
  ["the report's page", provideChromium()],
]) {
  if (missing === undefined) continue;
  console.error(`\nThe tests of ${name} did NOT run: ${missing}`);
  if (process.env.CI !== undefined) process.exitCode ||= 1;
}
