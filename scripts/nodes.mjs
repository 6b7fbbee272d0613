// Provides the versions of Node that the tests run programs on: the one that
// runs this, and the newest of each other supported line, from the registry.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const LINES = ["20", "22", "24", "26"];
const cache = new URL("../.cache/nodes/", import.meta.url).pathname;

/** @returns {{ line: string, path: string }[]} an executable for each supported line, oldest first */
export function provideNodes() {
  const own = process.versions.node.split(".")[0];
  const missing = LINES.filter((line) => line !== own && !existsSync(executable(line)));
  if (missing.length > 0) {
    console.error(`Installing Node ${missing.join(", ")} for the tests …`);
    mkdirSync(cache, { recursive: true });
    const names = missing.map((line) => `node-${line}@npm:node@${line}`);
    execFileSync(
      "npm",
      ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", cache, ...names, ...present()],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
  }
  return LINES.map((line) => ({ line, path: line === own ? process.execPath : executable(line) }));
}

/** `npm install --no-save` takes away what it is not told of. */
function present() {
  return LINES.filter((line) => existsSync(executable(line))).map((line) => `node-${line}@npm:node@${line}`);
}

function executable(line) {
  return join(cache, "node_modules", `node-${line}`, "bin", "node");
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const { line, path } of provideNodes())
    console.log(line, path, execFileSync(path, ["--version"], { encoding: "utf8" }).trim());
}
