// What libraries make of a way out: both cleanups to their end, in order, and
// bare Node's status.

import { EXPECTED_LOG, type Library, type Mode } from "./libraries.js";
import { type Outcome, startAndEnd } from "./start.js";
import type { WayOut } from "./ways-out.js";

/** What one library made of one way out. */
export interface Verdict {
  readonly library: Library;
  readonly mode: Mode;
  /** Both cleanups ran to their end, once. */
  readonly cleaned: boolean;
  /** And the last registered first. */
  readonly inOrder: boolean;
  /** The cleanups that came to their end, in that order. */
  readonly ended: readonly string[];
  readonly status: string;
  readonly bareStatus: string;
}

/** Whether all that can be asked of any library was kept: no peer is last in, first out. */
export function isKept({ cleaned, status, bareStatus }: Verdict): boolean {
  return cleaned && status === bareStatus;
}

/** Ends the program of a way out once for each library and mode, and once without any. */
export async function measure(way: WayOut, libraries: readonly Library[], node: string): Promise<Verdict[]> {
  const runs = libraries.flatMap((library) => (["sync", "async"] as const).map((mode) => ({ library, mode })));
  const [bareStatus, ...outcomes] = await Promise.all([
    way.status ?? startAndEnd(way, "none", "sync", node).then(({ status }) => status),
    ...runs.map(async (run) => ({ ...run, outcome: await startAndEnd(way, run.library, run.mode, node) })),
  ]);
  return outcomes.map(({ library, mode, outcome }) => judge(library, mode, outcome, bareStatus));
}

function judge(library: Library, mode: Mode, { log, status }: Outcome, bareStatus: string): Verdict {
  const ended = log.filter((line) => line.endsWith(" ends")).map((line) => line.replace(" ends", ""));
  const cleaned = ended.length === 2 && new Set(ended).size === 2;
  return { library, mode, cleaned, inOrder: log.join() === EXPECTED_LOG.join(), ended, status, bareStatus };
}
