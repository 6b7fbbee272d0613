// Commands that live on without the process that has begun them.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "./place.ts";
import { linesOf, until } from "./run.ts";

/**
 * A command for `sh -c` that tells of its start and its end in the file `runs`, and
 * goes on until there is a file `go`; then for a while, in which others can look at it.
 */
export const UNTIL_GO = `echo start $$ >>"$WORK/runs"; until [ -e "$WORK/go" ]; do sleep 0.02; done; sleep 0.5; echo told >&2; echo end >>"$WORK/runs"`;

/** What the commands have told, without their pids. */
export function runsIn(place: Place): string[] {
  return linesOf(join(place.work, "runs")).map((line) => line.replace(/ .*/, ""));
}

/** The pids of the commands, in the order of their starts. */
export function pidsIn(place: Place): number[] {
  return linesOf(join(place.work, "runs"))
    .filter((line) => line.startsWith("start "))
    .map((line) => Number(line.replace("start ", "")));
}

export async function begun(place: Place): Promise<void> {
  await until(() => pidsIn(place).length > 0);
}

export async function hasEnded(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** Waits until another process has begun to carry out what is in the place's journal. */
export async function replayBegun(place: Place): Promise<void> {
  await until(() => place.left().some((name) => tellsOfTry(join(place.journals, name))));
}

function tellsOfTry(path: string): boolean {
  try {
    return readFileSync(path, "utf8").includes('\n{"try":');
  } catch {
    return false; // it is a directory, or gone
  }
}

/** Lets the commands come to their end. */
export function letGo(place: Place): void {
  writeFileSync(join(place.work, "go"), "");
}
