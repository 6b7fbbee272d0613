// Where the hosts are that these tests run the package in, and the package as
// npm installs it: packed, unpacked, with nothing else beside it.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../support/package-under-test.ts";

const provided = process.env["ATEXIT_TESTS_HOSTS"];
if (provided === undefined)
  throw new Error("These tests need hosts: `npm run test:hosts` provides them and runs them.");

/** The directory whose node_modules holds the hosts. */
export const hosts: string = provided;

/** Bun and Deno themselves, and not the programs in JavaScript that look for them. */
export const bun = bunIn(join(hosts, "node_modules"));
export const deno = join(hosts, "node_modules", "@deno", "linux-x64-glibc", "deno");

/**
 * Makes a project in which the package is installed as from the registry; the test run takes it away at its end.
 *
 * @param parent where; below `hosts` its programs find these as well
 */
export function makeProject(parent = tmpdir()): string {
  const project = mkdtempSync(join(parent, "atexit-hosts-"));
  process.once("exit", () => rmSync(project, { recursive: true, force: true }));
  const installed = join(project, "node_modules", "atexit");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", packInto(project), "-C", installed, "--strip-components=1"]);
  return project;
}

/** Makes what npm would publish. @returns its path */
export function packInto(directory: string): string {
  const options = ["--silent", "--ignore-scripts", "--pack-destination", directory];
  return join(directory, execFileSync("npm", ["pack", ...options], { cwd: repository, encoding: "utf8" }).trim());
}

/** Where install scripts may run, Bun's has moved it. */
function bunIn(modules: string): string {
  const moved = join(modules, "bun", "bin", "bun.exe");
  return existsSync(moved) ? moved : join(modules, "@oven", "bun-linux-x64", "bin", "bun");
}
