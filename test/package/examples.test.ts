// The programs of examples/: what they print, line by line, how they end, and
// that they leave nothing behind.

import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { examplesDirectory } from "../support/package-under-test.ts";
import { inPlace } from "../support/place.ts";
import { linesOf, run, statusOf, withDirectory } from "../support/run.ts";

const examples = examplesDirectory();

interface Row {
  /** The example, and its argument. */
  readonly command: string;
  /** What it prints. `<path>` is one path, the same wherever it stands. */
  readonly prints: readonly string[];
  /** How it ends. By default with 0. */
  readonly status?: string;
  /** What stderr must be. By default empty. */
  readonly stderr?: RegExp;
}

const rows: readonly Row[] = [
  { command: "quick", prints: ["Script running...", "Script done.", "Cleanup: releasing resources."] },
  {
    command: "args",
    prints: ["Created: <path>", "Doing some work...", "Work done.", "Deleted temp file: <path>"],
  },
  {
    command: "args gone",
    prints: ["Created: <path>", "Doing some work...", "Work done.", "Temp file already gone: <path>"],
  },
  {
    command: "args throw",
    prints: ["Created: <path>", "Doing some work...", "Deleted temp file: <path>"],
    status: "1",
    stderr: /^file:.*args\.mjs:\d+\n.*\n\s*\^\n\nError: The work went wrong\.\n(?: +at .*\n)+\nNode\.js v[\d.]+\n$/,
  },
  {
    command: "order",
    prints: ["Application running...", "1. Cache flushed.", "2. Lock released.", "3. Database connection closed."],
  },
  {
    command: "unregister",
    prints: ["Lock created: <path>", "Lock removed: <path>", "Lock explicitly released. No double cleanup."],
  },
  {
    command: "unregister handle",
    prints: ["Lock created: <path>", "Lock removed: <path>", "Lock explicitly released. No double cleanup."],
  },
  { command: "limits", prints: ["Program ending normally. atexit will run.", "Cleanup ran!"] },
  { command: "limits reallyExit", prints: ["Leaving past Node.js, by its internal function."] },
  { command: "limits SIGKILL", prints: ["Killed by the system."], status: "SIGKILL" },
  // A crash is where Node itself writes on stderr, or does not.
  { command: "limits abort", prints: ["Crashing."], status: "SIGABRT", stderr: /^/ },
  { command: "limits-durable", prints: ["Created: <path>", "Program ending normally."] },
  {
    command: "limits-durable reallyExit",
    prints: ["Created: <path>", "Leaving past Node.js, by its internal function."],
  },
  { command: "limits-durable SIGKILL", prints: ["Created: <path>", "Killed by the system."], status: "SIGKILL" },
  { command: "limits-durable abort", prints: ["Created: <path>", "Crashing."], status: "SIGABRT", stderr: /^/ },
];

describe("an example", () => {
  for (const { command, prints, status = "0", stderr = /^$/ } of rows) {
    it(`\`${command}\` prints what it says, ends with ${status}, and leaves no file`, () =>
      inPlace(async ({ work: directory, journals, quiet }) => {
        const [name, ...args] = command.split(" ");
        const ended = await run(process.execPath, [join(examples, `${name}.mjs`), ...args], {
          cwd: directory,
          env: { ...process.env, TMPDIR: directory, ATEXIT_DIR: journals },
        });
        await quiet(); // a guard is at work after the end
        const lines = ended.stdout.split("\n");
        assert.equal(lines.pop(), "");
        assert.deepEqual(withoutPath(lines, directory), prints);
        assert.equal(statusOf(ended), status);
        assert.match(ended.stderr, stderr);
        assert.deepEqual(readdirSync(directory), []);
      }));
  }
});

it("`args throw` cleans up after the report of the error", () =>
  withDirectory(async (directory) => {
    const log = openSync(join(directory, "log"), "w");
    await run(process.execPath, [join(examples, "args.mjs"), "throw"], { stdio: ["ignore", log, log] });
    closeSync(log);
    const lines = linesOf(join(directory, "log"));
    assert.match(lines.at(-2) ?? "", /^Node\.js v/);
    assert.match(lines.at(-1) ?? "", /^Deleted temp file: /);
  }));

/** The lines, with the one path below the directory that they all speak of as `<path>`. */
function withoutPath(lines: readonly string[], directory: string): string[] {
  const paths = new Set(lines.flatMap((line) => line.match(/\/\S*$/)?.[0] ?? []));
  assert.ok(paths.size <= 1, `one path, not ${[...paths].join(", ")}`);
  const [path] = paths;
  if (path === undefined) return [...lines];
  assert.ok(path.startsWith(directory), path);
  return lines.map((line) => line.replace(path, "<path>"));
}
