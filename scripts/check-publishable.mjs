// Refuses to publish what users could not find their way back from:
// check-publishable.mjs [directory of the package]

import { readFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.argv[2] ?? ".";
const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
const problems = [];

for (const field of ["repository", "bugs", "homepage"]) {
  if (!manifest[field]) problems.push(`package.json has no "${field}": set it there, and nowhere else.`);
}
const changelog = readFileSync(join(directory, "CHANGELOG.md"), "utf8");
if (!changelog.includes(`\n## [${manifest.version}]`)) {
  problems.push(`CHANGELOG.md has no section [${manifest.version}]: move what is under [Unreleased] there.`);
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
