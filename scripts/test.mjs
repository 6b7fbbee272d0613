// Builds everything, checks all types, and runs all tests, or those whose path
// contains one of the arguments, on the Node that runs this. With --all on each Node
// that is supported; what takes minutes, or is the same on each, on this one alone.
// With --hosts the tests in other runtimes, test runners and bundlers, with --engines
// those of leases and keepers under faults on real engines, and no others.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { ALONE, ON_ONE, THOROUGH } from "./alone.mjs";
import { provideHosts } from "./hosts.mjs";
import { provideNodes, provideOldestNode } from "./nodes.mjs";

/** In milliseconds: what has not ended by then never will, and says so as a failure. A run is all files on one Node. */
const LONGEST_FILE = 15 * 60_000;
const LONGEST_RUN = 30 * 60_000;

/** Most files wait for processes: two for each core keep it busy, and more make none of them faster. */
const FILES_AT_ONCE = 2 * availableParallelism();

/** What is tested on the very oldest Node. */
const ON_OLDEST = ["package/installed"];

/** Makes some tests exhaustive; see test/support/long.ts. */
const EXHAUSTIVE = { ATEXIT_TESTS: "long" };

/** Where the tests are that need what scripts/hosts.mjs provides, and those that inject faults into real engines. */
const HOSTS = "hosts/";
const ENGINES = "engines/";

const isEverywhere = process.argv.includes("--all");
const isInHosts = process.argv.includes("--hosts");
/** The one of these whose tests run; by default those of neither. */
const apart = isInHosts ? HOSTS : process.argv.includes("--engines") ? ENGINES : undefined;
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));

execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
rmSync("build", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { stdio: "inherit" });

const scratch = mkdtempSync(join(tmpdir(), "atexit-tests-"));
const environment = {
  ...process.env,
  // All stays on loopback, and Node 20 reads the certificates at each start: 100 ms for those of a system.
  NODE_EXTRA_CA_CERTS: undefined,
  // Recipes of the test processes themselves: their journals stay out of the user's own directory.
  ATEXIT_DIR: join(scratch, "journals"),
  // Where test/support/missing.ts notes what could not be had.
  ATEXIT_TESTS_MISSING: join(scratch, "missing"),
  // Where scripts/test-reporter.mjs notes what failed.
  ATEXIT_TESTS_FAILURES: join(scratch, "failures"),
};

try {
  if (isInHosts) {
    runTests(process.execPath, wanted, { ATEXIT_TESTS_HOSTS: provideHosts() });
  } else if (isEverywhere) {
    const nodes = provideNodes();
    runTests(process.execPath, wanted, EXHAUSTIVE);
    for (const node of nodes.filter((path) => path !== process.execPath)) runTests(node, wanted, {}, ON_ONE);
    if (wanted.length === 0) {
      runTests(provideOldestNode(), ON_OLDEST);
      runTests(process.execPath, THOROUGH, EXHAUSTIVE);
    }
  } else {
    runTests(process.execPath, wanted);
  }
  if (isEverywhere) tellWhatFailed();
  tellWhatIsMissing();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Runs the tests whose path contains one of the parts, or all but those that are left out. */
function runTests(node, parts, variables = {}, leftOut = []) {
  const contains = (path, some) => some.some((part) => path.includes(part));
  const files = readdirSync("build/test", { recursive: true })
    .filter((path) => path.endsWith(".test.js"))
    .filter((path) => apart === [HOSTS, ENGINES].find((directory) => path.startsWith(directory)))
    .filter((path) => (parts.length === 0 ? !contains(path, [...THOROUGH, ...leftOut]) : contains(path, parts)))
    .sort();
  if (files.length === 0) throw new Error(`There is no test whose path contains ${parts.join(" or ")}.`);
  const alone = files.filter((path) => contains(path, ALONE));
  const others = files.filter((path) => !alone.includes(path));
  for (const [some, atOnce] of [
    [others, FILES_AT_ONCE],
    [alone, 1],
  ]) {
    if (some.length === 0) continue;
    const options = [
      "--test",
      `--test-concurrency=${atOnce}`,
      `--test-timeout=${LONGEST_FILE}`,
      "--test-reporter=./scripts/test-reporter.mjs",
    ];
    const paths = some.map((path) => join("build/test", path));
    const { status } = spawnSync(node, [...options, "--test-reporter-destination=stdout", ...paths], {
      stdio: "inherit",
      env: { ...environment, ...variables },
      timeout: LONGEST_RUN,
    });
    if (status === 0) continue;
    process.exitCode = status ?? 1;
    if (status === null) console.error(`\nThe tests on ${node} were stopped: they had not ended.`);
  }
}

/** Where something cannot be had, its tests do not run. That is the last that is said, and in CI a failure. */
function tellWhatIsMissing() {
  const notes = environment.ATEXIT_TESTS_MISSING;
  const lines = existsSync(notes) ? readFileSync(notes, "utf8").trim().split("\n") : [];
  for (const line of new Set(lines)) {
    const { what, reason } = JSON.parse(line);
    console.error(`\nThe tests of ${what} did NOT run: ${reason}`);
    if (process.env.CI !== undefined) process.exitCode ||= 1;
  }
}

/** Once more, where the suites of other Nodes came after it: the end is what is looked at, and kept. */
function tellWhatFailed() {
  const notes = environment.ATEXIT_TESTS_FAILURES;
  if (existsSync(notes)) console.error(`\nWhat failed, of all suites:\n\n${readFileSync(notes, "utf8")}`);
  else if (process.exitCode) console.error(`\nStatus ${process.exitCode}, and no test failed.`);
}
