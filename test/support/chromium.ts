// A browser: the system's, or Debian's.

import { execFileSync, spawnSync } from "node:child_process";
import { installPackages, type Provided, reasonOf } from "./debian.ts";
import { noteMissing } from "./missing.ts";

/** A browser, or why there is none. Installs one where that is possible. */
export function provideChromium(): Provided {
  const found = ["chromium", "chromium-browser", "google-chrome"].find(
    (command) => spawnSync(command, ["--version"]).status === 0,
  );
  if (found !== undefined) return { command: pathOf(found), env: {} };
  try {
    if (process.getuid?.() !== 0) throw new Error("there is no Chromium, and only root can install Debian's");
    installPackages("/usr/bin/chromium", ["chromium"]);
    return { command: pathOf("chromium"), env: {} };
  } catch (error) {
    return { missing: noteMissing("the report's page, in a browser", reasonOf(error)) };
  }
}

function pathOf(command: string): string {
  return execFileSync("sh", ["-c", 'command -v "$0"', command], { encoding: "utf8" }).trim();
}
