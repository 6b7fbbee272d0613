// Where the hosts are that these tests run the package in, and the package as
// npm installs it: packed, unpacked, with nothing else beside it.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../support/package-under-test.ts";

const provided = process.env["ATEXIT_TESTS_HOSTS"];
if (provided === undefined)
  throw new Error("These tests need hosts: `npm run test:hosts` provides them and runs them.");

/** The directory whose node_modules holds the hosts. */
export const hosts: string = provided;

/** Bun and Deno themselves, and not the programs in JavaScript that look for them; Bun's own installation moves it here. */
export const bun = join(hosts, "node_modules", "bun", "bin", "bun.exe");
export const deno = join(hosts, "node_modules", "@deno", "linux-x64-glibc", "deno");

/** Makes a project in which the package is installed as from the registry; the test run takes it away at its end. */
export function makeProject(): string {
  const project = mkdtempSync(join(tmpdir(), "atexit-hosts-"));
  process.once("exit", () => rmSync(project, { recursive: true, force: true }));
  const installed = join(project, "node_modules", "atexit");
  mkdirSync(installed, { recursive: true });
  const options = ["--silent", "--ignore-scripts", "--pack-destination", project];
  const name = execFileSync("npm", ["pack", ...options], { cwd: repository, encoding: "utf8" }).trim();
  execFileSync("tar", ["-xzf", join(project, name), "-C", installed, "--strip-components=1"]);
  return project;
}
