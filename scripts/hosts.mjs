// Provides the runtimes, test runners and bundlers that this package is tested
// in: what test/hosts/package.json names, kept in .cache/hosts, so that an
// `npm ci` of the package itself stays quick.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const manifests = fileURLToPath(new URL("../test/hosts/", import.meta.url));
const cache = fileURLToPath(new URL("../.cache/hosts/", import.meta.url));

/** @returns {string} the directory whose node_modules holds them */
export function provideHosts() {
  const names = ["package.json", "package-lock.json"];
  const isThere = names.every((name) => existsSync(join(cache, "installed", name)) && isSame(name));
  if (!isThere) {
    console.error("Installing the hosts for the tests …");
    mkdirSync(join(cache, "installed"), { recursive: true });
    for (const name of names) copyFileSync(join(manifests, name), join(cache, name));
    execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: cache, stdio: ["ignore", "ignore", "inherit"] });
    // Last: they say that all of it is there.
    for (const name of names) copyFileSync(join(manifests, name), join(cache, "installed", name));
  }
  return cache;
}

function isSame(name) {
  return readFileSync(join(manifests, name)).equals(readFileSync(join(cache, "installed", name)));
}
