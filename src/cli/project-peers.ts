// The packages of a project in whose place this one can stand, and the page that
// says how.

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** By the name of the package: its page in docs/from. */
const PEERS: ReadonlyMap<string, string> = new Map([
  ["signal-exit", "signal-exit"],
  ["exit-hook", "exit-hook"],
  ["async-exit-hook", "async-exit-hook"],
  ["close-with-grace", "close-with-grace"],
  ["node-cleanup", "node-cleanup"],
  ["when-exit", "when-exit"],
  ["tmp", "tmp"],
  ["tempy", "tempy"],
  ["temp", "temp"],
  ["proper-lockfile", "proper-lockfile"],
  ["lockfile", "lockfile"],
  ["stoppable", "stoppable"],
  ["http-terminator", "http-terminator"],
  ["@godaddy/terminus", "terminus"],
  ["lightship", "lightship"],
  ["execa", "execa-cleanup"],
  ["tree-kill", "tree-kill"],
]);

/** A package that a project depends on itself, and its page. */
export interface ProjectPeer {
  readonly name: string;
  readonly page: string;
}

/** Returns those of a project's own dependencies; none where there is no manifest that can be read. */
export function peersIn(directory: string): ProjectPeer[] {
  let manifest: Record<string, unknown> | null;
  try {
    manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as typeof manifest;
  } catch {
    return [];
  }
  const names = ["dependencies", "devDependencies", "optionalDependencies"].flatMap((kind) =>
    Object.keys(manifest?.[kind] ?? {}),
  );
  return [...PEERS]
    .filter(([name]) => names.includes(name))
    .map(([name, page]) => ({ name, page: `docs/from/${page}.md` }));
}
