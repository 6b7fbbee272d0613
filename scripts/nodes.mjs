// Provides the versions of Node that the tests run on: the one that runs this,
// and from the npm registry the newest of each other supported line, and the
// oldest that the manifest allows. They are kept in .cache/nodes.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The supported lines, oldest first. */
const LINES = ["20", "22", "24", "26"];

const cache = fileURLToPath(new URL("../.cache/nodes/", import.meta.url));

/** @returns {string[]} an executable for each supported line, oldest first */
export function provideNodes() {
  const own = process.versions.node.split(".")[0];
  install(LINES.filter((line) => line !== own));
  return LINES.map((line) => (line === own ? process.execPath : executable(line)));
}

/** @returns {string} the executable of the very version in the manifest's `engines` */
export function provideOldestNode() {
  const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const version = /\d+\.\d+\.\d+/.exec(engines.node)[0];
  if (version === process.versions.node) return process.execPath;
  install([version]);
  return executable(version);
}

/** @param {string[]} versions - what is there already is left alone */
function install(versions) {
  const missing = versions.filter((version) => !existsSync(executable(version)));
  if (missing.length === 0) return;
  console.error(`Installing Node ${missing.join(", ")} for the tests …`);
  mkdirSync(cache, { recursive: true });
  // `npm install --no-save` takes away what it is not told of.
  const names = [...installed(), ...missing].map((version) => `node-${version}@npm:node@${version}`);
  const options = ["--no-save", "--no-audit", "--no-fund", "--prefix", cache];
  execFileSync("npm", ["install", ...options, ...names], { stdio: ["ignore", "ignore", "inherit"] });
}

function installed() {
  const modules = join(cache, "node_modules");
  const names = existsSync(modules) ? readdirSync(modules) : [];
  return names.flatMap((name) => /^node-(\d[\d.]*)$/.exec(name)?.[1] ?? []);
}

function executable(version) {
  return join(cache, "node_modules", `node-${version}`, "bin", "node");
}
