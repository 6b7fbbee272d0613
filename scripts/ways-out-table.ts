// The README's table of exits: as a program, in the repository's root, it measures
// every way out with every library and writes docs/ways-out.json and the table.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LIBRARIES, type Library, type Mode } from "../src/tour/libraries.ts";
import { isKept, measure, measureUnseen, type Verdict } from "../src/tour/measure.ts";
import { unseenWaysOut } from "../src/tour/unseen-ways-out.ts";
import { waysOut } from "../src/tour/ways-out.ts";
import { kept, RUNTIMES } from "../test/hosts/bun-and-deno.ts";

const BEGIN = "<!-- table of exits: npm run table -->";
const END = "<!-- end of the table of exits -->";

export interface Results {
  readonly node: string;
  readonly rows: readonly { readonly row: string; readonly ways: number; readonly scores: readonly Score[] }[];
  /** The ways out that no program sees. */
  readonly unseen: readonly { readonly row: string; readonly ways: number; readonly scores: readonly UnseenScore[] }[];
}

interface UnseenScore {
  readonly library: Library;
  readonly cleaned: number;
}

/** What all libraries have. */
type FunctionMode = Exclude<Mode, "recipes">;

/** How many ways out of a row a library got through. */
interface Score {
  readonly library: Library;
  readonly sync: number;
  readonly async: number;
}

/**
 * A row for each row of the table of exits, a column for each library: `sync / async`.
 * Those of the other runtimes are what the tests of the hosts hold there.
 */
export function render({ node, rows, unseen }: Results): string {
  const total = rows.reduce((sum, { ways }) => sum + ways, 0);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const sum = (library: Library, mode: FunctionMode) =>
    rows.reduce((all, { scores }) => all + (scores.find((score) => score.library === library)?.[mode] ?? 0), 0);
  return [
    `Sync / async ways out, of ${total}, on which both of two cleanups ran to their end and the status stayed bare Node's (Node ${node}, Linux), and those [in Bun and Deno](docs/bun-and-deno.md):`,
    "",
    line(["way out", "ways", ...LIBRARIES, ...RUNTIMES.map((runtime) => `atexit in ${runtime}`)]),
    line(["---", "--:", ...[...LIBRARIES, ...RUNTIMES].map(() => "--:")]),
    ...rows.map(({ row, ways, scores }) =>
      line([
        row,
        String(ways),
        ...scores.map((score) => `${score.sync} / ${score.async}`),
        ...RUNTIMES.map((runtime) => kept(runtime, row) ?? ""),
      ]),
    ),
    line([
      "**all**",
      String(total),
      ...LIBRARIES.map((library) => `**${sum(library, "sync")} / ${sum(library, "async")}**`),
      ...RUNTIMES.map(() => ""),
    ]),
    "",
    "And the ways out that no program sees, with recipes of `atexit/durable` and with the functions of the others:",
    "",
    line(["way out", "ways", "atexit/durable", ...LIBRARIES.slice(1), ...RUNTIMES.map((runtime) => `in ${runtime}`)]),
    line(["---", "--:", ...[...LIBRARIES, ...RUNTIMES].map(() => "--:")]),
    ...unseen.map(({ row, ways, scores }) =>
      line([
        row,
        String(ways),
        ...scores.map(({ cleaned }) => String(cleaned)),
        ...RUNTIMES.map((runtime) => kept(runtime, row) ?? ""),
      ]),
    ),
  ].join("\n");
}

/** The README with this table in the table's place. */
export function withTable(readme: string, table: string): string {
  const [before, after] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (before === -1 || after === -1) throw new Error(`README.md has no place for the table: ${BEGIN} … ${END}`);
  return `${readme.slice(0, before)}${BEGIN}\n${table}\n${readme.slice(after)}`;
}

async function measureAll(): Promise<Results> {
  const rows = new Map<string, Verdict[][]>();
  for (const way of waysOut.filter(({ available }) => available?.() !== false)) {
    const verdicts = await measure(way, LIBRARIES, process.execPath);
    rows.set(way.row, [...(rows.get(way.row) ?? []), verdicts]);
    process.stderr.write(".");
  }
  const unseen = new Map<string, Verdict[][]>();
  for (const way of unseenWaysOut) {
    const verdicts = await measureUnseen(way, LIBRARIES, process.execPath);
    unseen.set(way.row, [...(unseen.get(way.row) ?? []), verdicts]);
    process.stderr.write(".");
  }
  process.stderr.write("\n");
  const score = (verdicts: readonly Verdict[], library: Library, mode: FunctionMode) =>
    verdicts.filter((verdict) => verdict.library === library && verdict.mode === mode && isKept(verdict)).length;
  return {
    node: process.versions.node,
    rows: [...rows].map(([row, ways]) => ({
      row,
      ways: ways.length,
      scores: LIBRARIES.map((library) => ({
        library,
        sync: score(ways.flat(), library, "sync"),
        async: score(ways.flat(), library, "async"),
      })),
    })),
    unseen: [...unseen].map(([row, ways]) => ({
      row,
      ways: ways.length,
      scores: LIBRARIES.map((library) => ({
        library,
        cleaned: ways.flat().filter((verdict) => verdict.library === library && isKept(verdict)).length,
      })),
    })),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await measureAll();
  writeFileSync("docs/ways-out.json", `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync("README.md", withTable(readFileSync("README.md", "utf8"), render(results)));
}
