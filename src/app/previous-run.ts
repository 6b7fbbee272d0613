// Tells how the last run ended: a file is written when a run begins, and removed
// at its end. Where it is still there at the next start, no end was seen.

import { timeOfDay } from "../platform/node-builtins.ts";
import { closeSync, constants, readSync, rmSync, writeSync } from "node:fs";
import { openRegularFile } from "../platform/regular-file.ts";
import { isSameBoot, thisProcess } from "../platform/process-identity.ts";
import { process } from "../platform/process.ts";

/** A run whose end was not seen: it was killed, or lost its power. */
export interface LostRun {
  /** Its pid, where that could be read. */
  readonly pid: number | undefined;
  readonly since: Date | undefined;
  /** Whether the machine was started again after it. */
  readonly rebooted: boolean;
}

/** How much of the file is read, in bytes: it has one short line. */
const LONGEST = 4_096;

/**
 * Writes down that this run has begun, and returns the last run if its end was not seen.
 *
 * @throws the system's error, also where something else than a regular file is at the path
 */
export function begin(path: string): LostRun | undefined {
  const lost = read(path);
  const run = { pid: process.pid, since: new Date(timeOfDay()).toISOString(), boot: thisProcess().boot };
  const { O_CREAT, O_TRUNC, O_WRONLY } = constants;
  const { fd } = openRegularFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600);
  try {
    writeSync(fd, `${JSON.stringify(run)}\n`);
  } finally {
    closeSync(fd);
  }
  return lost;
}

export function end(path: string): void {
  rmSync(path, { force: true });
}

function read(path: string): LostRun | undefined {
  let text: string;
  try {
    text = beginningOf(path);
  } catch {
    return undefined;
  }
  try {
    const { pid, since, boot } = JSON.parse(text) as Record<string, unknown>;
    return {
      pid: Number.isSafeInteger(pid) ? (pid as number) : undefined,
      since: typeof since === "string" && !Number.isNaN(Date.parse(since)) ? new Date(since) : undefined,
      rebooted: typeof boot !== "string" || !isSameBoot(boot, thisProcess().boot),
    };
  } catch {
    return { pid: undefined, since: undefined, rebooted: true }; // torn by a power cut
  }
}

function beginningOf(path: string): string {
  const { fd } = openRegularFile(path, constants.O_RDONLY);
  try {
    const buffer = Buffer.alloc(LONGEST);
    return buffer.toString("utf8", 0, readSync(fd, buffer));
  } finally {
    closeSync(fd);
  }
}
