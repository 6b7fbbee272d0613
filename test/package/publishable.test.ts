// What is not ready is not published.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/package-under-test.ts";
import { run, withDirectory } from "../support/run.ts";

const ready = {
  version: "1.2.3",
  repository: "https://example.com/atexit.git",
  bugs: "https://example.com/atexit/issues",
  homepage: "https://example.com/atexit",
};
const changelog = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-01\n";

/** @param changes - the changelog; `null` for none */
const check = (manifest: object, changes: string | null = changelog) =>
  withDirectory(async (directory) => {
    writeFileSync(join(directory, "package.json"), JSON.stringify(manifest));
    if (changes !== null) writeFileSync(join(directory, "CHANGELOG.md"), changes);
    return run(process.execPath, [join(repository, "scripts/check-publishable.mjs"), directory]);
  });

test("a package that names its home, and its changes, is published", async () => {
  assert.deepEqual(await check(ready), { code: 0, signal: null, stdout: "", stderr: "" });
});

for (const field of ["repository", "bugs", "homepage"] as const) {
  test(`without ${field} it is refused`, async () => {
    const { code, stderr } = await check({ ...ready, [field]: undefined });
    assert.equal(code, 1);
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      "This package is not ready to be published.",
      `package.json has no "${field}": set it there, and nowhere else.`,
      'See "Publishing" in CONTRIBUTING.md.',
    ]);
  });
}

test("all that is missing is said at once", async () => {
  const { code, stderr } = await check({});
  assert.equal(code, 1);
  for (const field of ["repository", "bugs", "homepage", "version"]) {
    assert.match(stderr, new RegExp(`^package\\.json has no "${field}"`, "m"));
  }
});

for (const [what, changes] of [
  ["without a section of its version in the changelog", changelog.replace("1.2.3", "1.2.30")],
  ["whose version the changelog only mentions", `${changelog.replace("1.2.3", "1.2.2")}- As in ## [1.2.3]\n`],
  ["without a changelog", null],
] as const) {
  test(`${what} it is refused`, async () => {
    const { code, stderr } = await check(ready, changes);
    assert.equal(code, 1);
    assert.match(stderr, /^CHANGELOG\.md has no section \[1\.2\.3\]/m);
    assert.doesNotMatch(stderr, /^package\.json/m);
  });
}

test("npm publish runs the check", () => {
  const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    scripts: { prepublishOnly?: string };
  };
  assert.equal(manifest.scripts.prepublishOnly, "node scripts/check-publishable.mjs");
});
