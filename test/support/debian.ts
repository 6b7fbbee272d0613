// Fetches programs from Debian's packages, for the tests that run beside them:
// unpacked into .cache, so that it takes no root, or installed where one has too
// many dependencies for that. Several test files may ask at once.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./package-under-test.ts";

/** A program, and what it needs in its environment; or why there is none. */
export type Provided = { readonly command: string; readonly env: NodeJS.ProcessEnv } | { readonly missing: string };

const cache = join(repository, ".cache");

/** A new machine has no lists of packages yet. */
const UNPACK = `
  fetch() { apt-get download "$@" || { apt-get update -qq && apt-get download "$@"; }; }
  test -e "$DONE" && exit
  rm -rf "$DIRECTORY" && mkdir -p "$DIRECTORY" && cd "$DIRECTORY"
  fetch "$@"
  for file in *.deb; do dpkg-deb -x "$file" . && rm "$file"; done
  touch "$DONE"`;

const INSTALL = `
  test -e "$DONE" && exit
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"`;

/**
 * Unpacks packages into a directory of their own.
 *
 * @returns the directory
 * @throws where they cannot be had
 */
export function unpackPackages(name: string, packages: readonly string[]): string {
  const directory = join(cache, name);
  underLock(UNPACK, packages, directory, join(directory, "complete"));
  return directory;
}

/**
 * Installs packages on this system; takes root.
 *
 * @param command - a file that is there when they are installed
 * @throws where they cannot be had
 */
export function installPackages(command: string, packages: readonly string[]): void {
  underLock(INSTALL, packages, cache, command);
}

/** What the package manager, or the system, has said of a failure. */
export function reasonOf(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: Buffer };
  return (stderr?.toString().trim() || message).replaceAll(/\s*\n\s*/g, "; ");
}

/** One at a time, whichever process it is in. */
function underLock(script: string, packages: readonly string[], directory: string, done: string): void {
  if (existsSync(done)) return;
  mkdirSync(cache, { recursive: true });
  console.error(`Fetching ${packages.join(", ")} for the tests …`);
  execFileSync("flock", [join(cache, "debian.lock"), "sh", "-ec", script, "sh", ...packages], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, DIRECTORY: directory, DONE: done },
  });
}
