// Programs that register recipes in a directory of their own, and what is there
// when they have ended.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { urlOf } from "../../support/package-under-test.ts";
import type { Place } from "../../support/place.ts";

/** `at(name)` is a path in the program's own directory. */
export const program = (body: string, end: string) => `
  import { execFileSync } from "node:child_process";
  import fs from "node:fs";
  import net from "node:net";
  import { pathToFileURL } from "node:url";
  import { call, exec, kill, remove } from ${JSON.stringify(urlOf("atexit/durable"))};
  const at = (name) => process.env.WORK + "/" + name;
  ${body}
  ${end}`;

/** The end of a program whose guard is to do the rest. */
export const SIGKILL = 'process.kill(process.pid, "SIGKILL");';

/** By paths from there; links are not followed. */
export function everythingIn(directory: string, from = ""): string[] {
  const entries = readdirSync(join(directory, from), { withFileTypes: true });
  const paths = entries.flatMap((entry) => {
    const path = join(from, entry.name);
    return entry.isDirectory() ? [path, ...everythingIn(directory, path)] : [path];
  });
  return paths.sort();
}

/** The reasons in the log of what guards have carried out, a line each. */
export function reasonsIn(place: Place): string {
  return place
    .log()
    .map(({ why }) => why ?? "")
    .join("\n");
}
