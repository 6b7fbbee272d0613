// Runs the command as it is published.

import { fileURLToPath } from "node:url";
import type { Place } from "../durable/support.js";
import { type Ended, run, type RunOptions } from "../support/run.js";

export const CLI = fileURLToPath(new URL("../../../dist/cli.cjs", import.meta.url));

export function environmentOf({ work, journals }: Place): NodeJS.ProcessEnv {
  return { ...process.env, ATEXIT_DIR: journals, WORK: work, NODE_TEST_CONTEXT: undefined };
}

/** `atexit` with these arguments. */
export function atexit(
  place: Place,
  args: readonly string[],
  { node = process.execPath, ...options }: RunOptions & { node?: string } = {},
): Promise<Ended> {
  return run(node, [CLI, ...args], { env: environmentOf(place), cwd: place.work, ...options });
}
