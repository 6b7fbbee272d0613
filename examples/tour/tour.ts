// The tour: ends real processes in each way, and shows a line for each: what
// was cleaned up, in which order, with which status, beside bare Node's; and
// what signal-exit and exit-hook make of the same.

import { writeFileSync } from "node:fs";
import { EXPECTED_LOG, type Library, type Mode } from "./libraries.js";
import { type Outcome, startAndEnd } from "./start.js";
import { type WayOut, waysOut } from "./ways-out.js";

const OTHERS: readonly Library[] = ["signal-exit", "exit-hook"];
const isTerminal = process.stdout.isTTY && !process.env["NO_COLOR"];
const paint = (code: number, text: string) => (isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text);
const good = (text: string) => paint(32, text);
const bad = (text: string) => paint(31, text);
const faint = (text: string) => paint(2, text);

/** What one library made of one way out. */
export interface Verdict {
  readonly library: Library;
  readonly mode: Mode;
  readonly cleaned: boolean;
  readonly inOrder: boolean;
  readonly status: string;
  readonly statusKept: boolean;
}

function judge(library: Library, mode: Mode, outcome: Outcome, expected: string): Verdict {
  const ends = outcome.log.filter((line) => line.endsWith(" ends"));
  return {
    library,
    mode,
    cleaned: ends.length === 2 && new Set(ends).size === 2,
    inOrder: outcome.log.join() === EXPECTED_LOG.join(),
    status: outcome.status,
    statusKept: outcome.status === expected,
  };
}

async function visit(way: WayOut): Promise<Verdict[]> {
  const bare = way.status ?? (await startAndEnd(way, "none", "sync", process.execPath)).status;
  process.stdout.write(`${way.name}\n`);
  const verdicts: Verdict[] = [];
  for (const mode of ["sync", "async"] as const) {
    const outcome = await startAndEnd(way, "atexit", mode, process.execPath);
    const verdict = judge("atexit", mode, outcome, bare);
    verdicts.push(verdict);
    const order = outcome.log.filter((line) => line.endsWith(" ends")).map((line) => line.replace(" ends", ""));
    const mark = verdict.inOrder && verdict.statusKept ? good("✓") : bad("✗");
    const status = `status ${outcome.status} (bare Node: ${bare})`;
    process.stdout.write(
      `  ${mark} atexit ${mode.padEnd(5)}  cleaned: ${order.join(", then ") || "nothing"}; ${status}\n`,
    );
  }
  for (const library of OTHERS) {
    const shown: string[] = [];
    for (const mode of ["sync", "async"] as const) {
      const verdict = judge(library, mode, await startAndEnd(way, library, mode, process.execPath), bare);
      verdicts.push(verdict);
      shown.push(`${mode}: ${verdict.cleaned ? "cleaned" : bad("not cleaned")}, ${showStatus(verdict)}`);
    }
    process.stdout.write(faint(`    ${library.padEnd(11)}   ${shown.join("; ")}\n`));
  }
  return verdicts;
}

function showStatus({ status, statusKept }: Verdict): string {
  return statusKept ? `status ${status}` : bad(`status ${status}`);
}

/** How many ways out a library gets through: both cleanups to their end, and bare Node's status. */
function score(all: readonly Verdict[], library: Library, mode: Mode): string {
  const own = all.filter((verdict) => verdict.library === library && verdict.mode === mode);
  return `${own.filter(({ cleaned, statusKept }) => cleaned && statusKept).length} of ${own.length}`;
}

const wanted = process.argv[2];
const json = process.argv[3];
const ways = waysOut.filter((way) => way.available?.() !== false && (!wanted || way.name.includes(wanted)));
const visited: { way: WayOut; verdicts: Verdict[] }[] = [];
process.stdout.write(`${ways.length} ways out of a process, on Node ${process.versions.node}\n`);
let row = "";
for (const way of ways) {
  if (way.row !== row) process.stdout.write(`\n${paint(1, way.row)}\n`);
  row = way.row;
  visited.push({ way, verdicts: await visit(way) });
}

const all = visited.flatMap(({ verdicts }) => verdicts);
process.stdout.write("\nBoth cleanups ran to their end, and the status is bare Node's:\n");
for (const library of ["atexit", ...OTHERS] as const) {
  process.stdout.write(
    `  ${library.padEnd(11)}  sync ${score(all, library, "sync")}, async ${score(all, library, "async")}\n`,
  );
}
if (json)
  writeFileSync(json, JSON.stringify(visited.map(({ way, verdicts }) => ({ name: way.name, row: way.row, verdicts }))));
process.exitCode = all.some(({ library, inOrder, statusKept }) => library === "atexit" && !(inOrder && statusKept))
  ? 1
  : 0;
