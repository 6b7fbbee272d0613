// Runs programs where other file systems are mounted. It takes root.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { noteMissing } from "./missing.ts";
import { withUrls } from "./package-under-test.ts";
import type { Place } from "./place.ts";
import { type Ended, run } from "./run.ts";

/** Whether file systems cannot be mounted here, for the option `skip`. */
export const cannotMount = (what: string): string | false =>
  process.getuid?.() !== 0 && noteMissing(what, "it takes root to mount file systems");

/** Runs a program in a mount namespace of its own, in which the script has changed something. */
export function runWithMounts(
  place: Place,
  script: string,
  source: string,
  options: { env?: NodeJS.ProcessEnv; nodeOptions?: readonly string[] } = {},
): Promise<Ended> {
  const file = join(place.work, "program.mjs");
  writeFileSync(file, withUrls(source));
  const { env, nodeOptions = [] } = options;
  const command = ["/bin/bash", "-c", `set -e\n${script}\nexec "$0" "$@"`, process.execPath, ...nodeOptions, file];
  return run("unshare", ["--mount", ...command], { env: { ...place.environment, ...env } });
}
