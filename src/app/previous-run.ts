// Tells how the last run ended: a file is written when a run begins, and removed
// at its end. Where it is still there at the next start, no end was seen.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { thisProcess } from "../platform/process-identity.ts";

/** A run whose end was not seen: it was killed, or lost its power. */
export interface LostRun {
  /** Its pid, where that could be read. */
  readonly pid: number | undefined;
  readonly since: Date | undefined;
  /** Whether the machine was started again after it. */
  readonly rebooted: boolean;
}

/** Writes down that this run has begun, and returns the last run if its end was not seen. */
export function begin(path: string): LostRun | undefined {
  const lost = read(path);
  const run = { pid: process.pid, since: new Date().toISOString(), boot: thisProcess().boot };
  writeFileSync(path, `${JSON.stringify(run)}\n`, { mode: 0o600 });
  return lost;
}

export function end(path: string): void {
  rmSync(path, { force: true });
}

function read(path: string): LostRun | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    const { pid, since, boot } = JSON.parse(text) as Record<string, unknown>;
    return {
      pid: typeof pid === "number" ? pid : undefined,
      since: typeof since === "string" && !Number.isNaN(Date.parse(since)) ? new Date(since) : undefined,
      rebooted: boot !== thisProcess().boot,
    };
  } catch {
    return { pid: undefined, since: undefined, rebooted: true }; // torn by a power cut
  }
}
