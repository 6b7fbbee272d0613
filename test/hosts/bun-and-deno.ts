// What this package does not get through in Bun and Deno, as data with reasons, and
// the table of docs/bun-and-deno.md made of it. The tests hold both.

import type { Mode } from "../../src/tour/libraries.ts";
import { unseenWaysOut } from "../../src/tour/unseen-ways-out.ts";
import { type WayOut, waysOut } from "../../src/tour/ways-out.ts";

export const RUNTIMES = ["Bun", "Deno"] as const;

export type Runtime = (typeof RUNTIMES)[number];

interface Exception {
  readonly runtime: Runtime;
  /** The names of the ways out. */
  readonly ways: readonly string[];
  /** The cleanups that it is about; all where they are left out. */
  readonly modes?: readonly Mode[];
  /** Whether it cannot be tried: it hangs, or the runtime does not know how. */
  readonly isUntried?: true;
  readonly why: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    runtime: "Bun",
    ways: ["top-level await that never settles"],
    isUntried: true,
    why: "Hangs, as it does without the package.",
  },
  {
    runtime: "Bun",
    ways: ["an uncaughtException listener that throws"],
    modes: ["async"],
    why: "The process ends at once. Cleanups are called, and those that could not be awaited are named.",
  },
  {
    runtime: "Deno",
    ways: ["top-level await that never settles", "top-level await that never settles in a worker"],
    isUntried: true,
    why: "Hangs, as any program there that listens to a signal; without the package the first one ends with 1.",
  },
  {
    runtime: "Deno",
    ways: ["SIGIO", "SIGPWR", "SIGSTKFLT"],
    why: "Deno knows no death by these: cleanups run, and the status is 157, or 1 of a panic in Deno.",
  },
  {
    runtime: "Deno",
    ways: ["a worker's natural end"],
    modes: ["async"],
    why: "A worker emits no `beforeExit` there. Cleanups are called, and those that could not be awaited are named.",
  },
  {
    runtime: "Deno",
    ways: ["worker.terminate()"],
    why: "Recipes of the worker are carried out when the process ends: nothing tells of the worker's end before.",
  },
  {
    runtime: "Deno",
    ways: ["a segmentation fault", "out of memory"],
    isUntried: true,
    why: "Brought about by options that only Node has.",
  },
];

/** They are ways out of Node's test runner and watcher. */
const OF_NODE = "under Node's own tools";

/** The ways out that these runtimes have on this machine, with the cleanups to try each with. */
export const WAYS: readonly (readonly [way: WayOut, modes: readonly Mode[]])[] = [
  ...waysOut.filter(({ row }) => row !== OF_NODE).map((way) => [way, ["sync", "async"]] as const),
  ...unseenWaysOut.map((way) => [way, ["recipes"]] as const),
];

export function exceptionFor(runtime: Runtime, { name }: WayOut, mode: Mode): Exception | undefined {
  return EXCEPTIONS.find(
    ({ runtime: its, ways, modes }) => its === runtime && ways.includes(name) && modes?.includes(mode) !== false,
  );
}

/** On how many ways out of a row both cleanups ran: `sync / async`, or with recipes; `undefined` for a row not tried. */
export function kept(runtime: Runtime, row: string): string | undefined {
  const own = WAYS.filter(([way]) => way.row === row);
  const count = (mode: Mode) => own.filter(([way]) => exceptionFor(runtime, way, mode) === undefined).length;
  return own[0]?.[1].map(count).join(" / ");
}

/** A row for each row of the table of exits, and below it each exception with its reason. */
export function render(): string {
  const rows = [...new Set(WAYS.map(([{ row }]) => row))];
  const line = (cells: readonly (string | number | undefined)[]) => `| ${cells.join(" | ")} |`;
  const waysIn = (row: string) => WAYS.filter(([way]) => way.row === row).length;
  return [
    line(["way out", "ways", ...RUNTIMES]),
    line(["---", "--:", ...RUNTIMES.map(() => "--:")]),
    ...rows.map((row) => line([row, waysIn(row), ...RUNTIMES.map((runtime) => kept(runtime, row))])),
    "",
    line(["runtime", "way out", "what differs"]),
    line(["---", "---", "---"]),
    ...EXCEPTIONS.map(({ runtime, ways, modes, why }) =>
      line([runtime, ways.join("; ") + (modes?.join() === "async" ? ", asynchronous cleanups" : ""), why]),
    ),
  ].join("\n");
}
