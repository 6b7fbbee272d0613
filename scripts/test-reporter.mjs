// Each test that failed, with all that is known of it; a line for each file whose tests
// took long, failed or were skipped; and at the end the sums. Failures are noted in the
// file that ATEXIT_TESTS_FAILURES names as well, for whoever runs more than one suite.

import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { inspect } from "node:util";

/** In milliseconds: what a file's tests take is told from here on. */
const LONG = 5_000;

export default async function* report(events) {
  const startedAt = performance.now();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** Those that have not been told yet. */
  const files = new Map();
  /** The names that a test stands below, by file and depth. */
  const path = new Map();
  yield `\nNode ${process.versions.node}\n`;
  for await (const { type, data } of events) {
    const { file = "", name = "", nesting = 0 } = data ?? {};
    if (type === "test:start") path.set(`${file} ${nesting}`, name);
    if (type === "test:diagnostic" && nesting > 0) yield `    ${data.message}\n`;
    if (type === "test:stderr") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const told = files.get(file) ?? { tests: 0, failed: 0, skipped: 0, took: 0 };
    files.set(file, told);
    if (nesting === 0) told.took += data.details.duration_ms;
    const { error } = data.details;
    const isSuite = data.details.type === "suite";
    // One whose tests failed has been told with them; one whose hook failed, or that could not be read, has not.
    if (isSuite && (type === "test:pass" || error.failureType === "subtestsFailed")) continue;
    if (!isSuite) told.tests += 1;
    if (data.skip !== undefined) {
      counts.skipped += 1;
      told.skipped += 1;
    } else if (type === "test:pass") counts.passed += 1;
    else {
      counts.failed += 1;
      told.failed += 1;
      const above = Array.from({ length: nesting }, (_, depth) => path.get(`${file} ${depth}`));
      const failure =
        `✖ ${[...above, name].join(" › ")}\n  ${nameOf(file)}:${data.line ?? ""}\n` +
        `${inspect(error.cause ?? error).replaceAll(/^/gm, "    ")}\n`;
      yield failure;
      note(failure);
    }
  }
  for (const [file, { tests, failed, skipped, took }] of [...files].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (took < LONG && failed === 0 && skipped === 0) continue;
    const parts = [tests, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
    yield `${(took / 1_000).toFixed(1).padStart(6)} s  ${nameOf(file)}: ${parts.filter((part) => part !== false).join(", ")}\n`;
  }
  const took = ((performance.now() - startedAt) / 1_000).toFixed(0);
  const sums = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  yield `Node ${process.versions.node}: ${sums.join(", ")}, in ${took} s\n`;
}

function note(failure) {
  const notes = process.env.ATEXIT_TESTS_FAILURES;
  if (notes) appendFileSync(notes, `Node ${process.versions.node}: ${failure}`);
}

function nameOf(file) {
  return relative(process.cwd(), file)
    .replace(/^build\//, "")
    .replace(/\.js$/, ".ts");
}
