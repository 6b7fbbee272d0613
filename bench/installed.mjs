// The package and its peer side by side in one node_modules, as a user's
// program finds them: an import within this repository takes another path.

import { cpSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBlind } from "./unseen.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Copies both packages and the programs into a new directory.
 *
 * @returns the path of a program, by its name, and what takes it all away
 */
export async function installed() {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "atexit-bench-")));
  const copy = (from, to) => cpSync(join(root, from), join(directory, to), { recursive: true });
  copy("package.json", "node_modules/atexit/package.json");
  copy("dist", "node_modules/atexit/dist");
  for (const peer of ["signal-exit", "tmp"]) copy(`node_modules/${peer}`, `node_modules/${peer}`);
  copy("bench/programs", ".");
  copy("package.json", "node_modules/atexit-blind/package.json");
  await buildBlind(join(directory, "node_modules/atexit-blind"));
  return {
    program: (name) => join(directory, name),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
