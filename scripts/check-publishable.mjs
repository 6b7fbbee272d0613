// Refuses to publish what users could not find their way back from:
// check-publishable.mjs [directory of the package]

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.argv[2] ?? ".";
const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
const problems = [];

for (const field of ["repository", "bugs", "homepage"]) {
  if (!manifest[field]) problems.push(`package.json has no "${field}": set it there, and nowhere else.`);
}
const path = join(directory, "CHANGELOG.md");
const changelog = existsSync(path) ? readFileSync(path, "utf8") : "";
if (!manifest.version) {
  problems.push('package.json has no "version": set the one that is to be published.');
} else if (!changelog.split("\n").some((line) => line.startsWith(`## [${manifest.version}]`))) {
  problems.push(`CHANGELOG.md has no section [${manifest.version}]: move what is under [Unreleased] there.`);
}

if (problems.length > 0) {
  console.error(["This package is not ready to be published.", ...problems].join("\n"));
  console.error('See "Publishing" in CONTRIBUTING.md.');
  process.exitCode = 1;
}
