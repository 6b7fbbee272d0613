// What libraries make of a way out: both cleanups to their end, in order, and
// bare Node's status.

import { EXPECTED_LOG, type Library, type Mode } from "./libraries.ts";
import { type Outcome, startAndEnd } from "./start.ts";
import type { WayOut } from "./ways-out.ts";

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
  /** How long its guard took after its end, in milliseconds. */
  readonly guardTook: number;
}

/** Whether all that can be asked of any library was kept: no peer is last in, first out. */
export function isKept({ cleaned, status, bareStatus }: Verdict): boolean {
  return cleaned && status === bareStatus;
}

/** Ends the program of a way out once for each library and mode, and once without any. */
export async function measure(way: WayOut, libraries: readonly Library[], node: string): Promise<Verdict[]> {
  const runs = libraries.flatMap((library) => (["sync", "async"] as const).map((mode) => ({ library, mode })));
  return judgeAll(way, runs, node);
}

/** The same where functions cannot run: this package has recipes, and the others what they have. */
export async function measureUnseen(way: WayOut, libraries: readonly Library[], node: string): Promise<Verdict[]> {
  const runs = libraries.map((library) => ({ library, mode: library === "atexit" ? "recipes" : "sync" }) as const);
  return judgeAll(way, runs, node);
}

async function judgeAll(
  way: WayOut,
  runs: readonly { readonly library: Library; readonly mode: Mode }[],
  node: string,
): Promise<Verdict[]> {
  const [bareStatus, ...outcomes] = await Promise.all([
    way.status ?? startAndEnd(way, "none", "sync", node).then(({ status }) => status),
    ...runs.map(async (run) => ({ ...run, outcome: await startAndEnd(way, run.library, run.mode, node) })),
  ]);
  return outcomes.map(({ library, mode, outcome }) => judge(library, mode, outcome, bareStatus));
}

function judge(library: Library, mode: Mode, outcome: Outcome, bareStatus: string): Verdict {
  const { log, status, leftByGuard, guardTook } = outcome;
  const ended = log.filter((line) => line.endsWith(" ends")).map((line) => line.replace(" ends", ""));
  const cleaned = ended.length === 2 && new Set(ended).size === 2 && leftByGuard.length === 0;
  return { library, mode, cleaned, inOrder: log.join() === EXPECTED_LOG.join(), ended, status, bareStatus, guardTook };
}
