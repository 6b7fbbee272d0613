// Runs all tests on the sources, with c8, and holds the floor that was measured.
// What a killed process has covered is lost with it, so the true figures are higher.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ALONE, THOROUGH } from "./alone.mjs";
import { provideNodes } from "./nodes.mjs";

const C8 = fileURLToPath(import.meta.resolve("c8/bin/c8.js"));

/** In percent. */
const FLOOR = { lines: 90, functions: 87, branches: 86, statements: 90 };

/** A Node that runs the sources as they are: this one, or the newest but one. */
const node = process.features.typescript ? process.execPath : provideNodes().at(-2);

const scratch = mkdtempSync(join(tmpdir(), "atexit-coverage-"));
/** Programs of other users write there, too. */
const profiles = mkdtempSync(join(tmpdir(), "atexit-profiles-"));
chmodSync(profiles, 0o1777);
const floors = Object.entries(FLOOR).flatMap(([name, percent]) => [`--${name}`, String(percent)]);
// What stands on the core is tested in its own ways, on real engines and in programs
// that are built: to run those on sources takes longer than all other tests.
const others = ["tour", "app", "cli", "compat", "etcd", "postgres", "keeper"];
const excluded = others.flatMap((name) => ["--exclude", `src/${name}/**`]);
const c8 = ["--src", "src", "--all", "--include", "src/**/*.ts", ...excluded, "--reporter", "text"];
// Sources are compiled by each process that runs them: what measures short times is not
// for this, nor what looks at the package as it is published, or beside others. Who drops
// its privileges writes its profile a second time, which it may not do any more.
const thorough = THOROUGH.filter((part) => part !== "lease/schedules" && !part.startsWith("trace/"));
const apart = [
  "hosts/",
  "engines/",
  "systems/",
  "package/",
  "app/",
  "cli/",
  "compat/",
  "exits/neighbours/",
  "exits/ways-out",
  "exits/unwinding",
  "replay/living-owners",
  "replay/neighbours",
  "replay/recovery",
  "resources/dropped-privileges",
];
const left = [...apart, ...ALONE, ...thorough];
const files = readdirSync("test", { recursive: true })
  .filter((path) => path.endsWith(".test.ts") && !left.some((part) => path.includes(part)))
  .map((path) => join("test", path));
const tests = [node, "--test", `--test-concurrency=${2 * availableParallelism()}`, "--test-reporter=dot", ...files];
const { status } = spawnSync(node, [C8, ...c8, "--temp-directory", profiles, "--check-coverage", ...floors, ...tests], {
  stdio: "inherit",
  env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined, ATEXIT_DIR: join(scratch, "journals") },
});
for (const directory of [scratch, profiles]) rmSync(directory, { recursive: true, force: true });
process.exitCode = status ?? 1;
