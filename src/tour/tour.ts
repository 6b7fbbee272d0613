// The tour: ends real processes in each way, and shows a line for each: what
// was cleaned up, in which order, with which status, beside bare Node's; and
// what signal-exit and exit-hook make of the same.

import { createRequire } from "node:module";
import type { Library, Mode } from "./libraries.ts";
import { handOver, leaseWays } from "./leases.ts";
import { isKept, measure, measureUnseen, type Verdict } from "./measure.ts";
import { unseenWaysOut } from "./unseen-ways-out.ts";
import { system } from "../platform/this-system.ts";
import { type WayOut, waysOut } from "./ways-out.ts";

/** This package, and of the others those that are installed. */
const SHOWN = (["atexit", "signal-exit", "exit-hook"] as const).filter(
  (name) => name === "atexit" || isInstalled(name),
);

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch (error) {
    // A module that require() is not meant to load is there, too.
    return (error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  }
}

const isTerminal = process.stdout.isTTY && !process.env["NO_COLOR"];
const paint = (code: number, text: string) => (isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text);
const good = (text: string) => paint(32, text);
const bad = (text: string) => paint(31, text);
const say = (text: string) => process.stdout.write(`${text}\n`);

const isPerfect = (verdict: Verdict) => verdict.inOrder && isKept(verdict);

function showOurs(verdict: Verdict): void {
  const mark = isPerfect(verdict) ? good("✓") : bad("✗");
  const cleaned = verdict.ended.join(", then ") || "nothing";
  const status = `status ${verdict.status} (bare Node: ${verdict.bareStatus})`;
  say(`  ${mark} atexit ${verdict.mode.padEnd(5)}  cleaned: ${cleaned}; ${status}`);
}

function showOthers(library: Library, verdicts: readonly Verdict[]): void {
  const shown = verdicts.map(({ mode, cleaned, status, bareStatus }) => {
    // A process that does not end is killed after a while.
    const end = status === "SIGKILL" && bareStatus !== "SIGKILL" ? "did not end" : `status ${status}`;
    return `${mode}: ${cleaned ? "cleaned" : bad("not cleaned")}, ${status === bareStatus ? end : bad(end)}`;
  });
  say(`    ${library.padEnd(11)}   ${shown.join("; ")}`);
}

/** The names of the ways that take a signal, a process group or a shell, or that Windows
 * itself ends with a job: SIGKILL is TerminateProcess there. */
const ON_POSIX = /\bSIG(?!KILL$)|signal|process group|primary|--watch|left behind|stopped|parent dies/;

function isOnThisSystem({ name, available }: WayOut): boolean {
  return available?.() !== false && (system.hasSignals || !ON_POSIX.test(name));
}

/**
 * Runs the tour.
 *
 * @param wanted a part of a way out's name; all by default
 * @returns whether this package got through all that was shown
 */
export async function runTour(wanted = ""): Promise<boolean> {
  const ways = waysOut.filter((way) => isOnThisSystem(way) && way.name.includes(wanted));
  say(`${ways.length + unseenWaysOut.length} ways out of a process, on Node ${process.versions.node}`);

  const all: Verdict[] = [];
  let row = "";
  for (const way of ways) {
    if (way.row !== row) say(`\n${paint(1, way.row)}`);
    row = way.row;
    const verdicts = await measure(way, SHOWN, process.execPath);
    all.push(...verdicts);
    say(way.name);
    for (const library of SHOWN) {
      const own = verdicts.filter((verdict) => verdict.library === library);
      if (library === "atexit") own.forEach(showOurs);
      else showOthers(library, own);
    }
  }

  const unseen = unseenWaysOut.filter((way) => isOnThisSystem(way) && way.name.includes(wanted));
  if (unseen.length > 0) say(`\n${paint(1, "Ways out that no program sees: recipes, carried out by the guard")}`);
  for (const way of unseen) {
    const verdicts = await measureUnseen(way, SHOWN, process.execPath);
    all.push(...verdicts);
    say(way.name);
    for (const verdict of verdicts) {
      if (verdict.library === "atexit") showGuarded(verdict);
      else showOthers(verdict.library, [verdict]);
    }
  }

  const areLeasesKept = await showLeases(wanted);

  say("\nBoth cleanups ran to their end, and the status is bare Node's:");
  for (const library of SHOWN) {
    const third = library === "atexit" ? `, ${score(all, library, "recipes")} that no program sees` : "";
    say(`  ${library.padEnd(11)}  ${score(all, library, "sync")}, ${score(all, library, "async")}${third}`);
  }
  return all.filter(({ library }) => library === "atexit").every(isPerfect) && areLeasesKept;
}

/** Shows how a lease goes from one process to the next, where there is an engine. @returns whether it did, in time */
async function showLeases(wanted: string): Promise<boolean> {
  const ways = leaseWays.filter((way) => way.name.includes(wanted));
  if (ways.length === 0) return true;
  say(`\n${paint(1, "Leases: of two processes on any machines, one at a time has it")}`);
  if (!process.env["ATEXIT_FROM"]) {
    say("  not shown: set ATEXIT_FROM to postgres://… (after atexit migrate) or http://… of etcd");
    return true;
  }
  let areAllInTime = true;
  for (const way of ways) {
    const { name, by, took, isInTime } = await handOver(way, [process.execPath, process.argv[1] ?? ""]);
    say(`${name}\n  ${isInTime ? good("✓") : bad("✗")} the next has it after ${Math.round(took)} ms, by ${by}`);
    areAllInTime &&= isInTime;
  }
  return areAllInTime;
}

function showGuarded(verdict: Verdict): void {
  const mark = isPerfect(verdict) ? good("✓") : bad("✗");
  const cleaned = `cleaned: ${verdict.ended.join(", then ") || "nothing"}`;
  const took = `${Math.round(verdict.guardTook)} ms after its end`;
  say(`  ${mark} atexit recipes  ${cleaned}; ${took}; status ${verdict.status} (bare Node: ${verdict.bareStatus})`);
}

/** How many ways out a library gets through. */
function score(all: readonly Verdict[], library: Library, mode: Mode): string {
  const own = all.filter((verdict) => verdict.library === library && verdict.mode === mode);
  return `${mode} ${own.filter(isKept).length} of ${own.length}`;
}
