// Runs the benchmarks and prints one table. All are ratios, taken in turn in
// one run, since the times themselves say more about the machine.
//
//   node bench/run.mjs [row ...] [--node PATH] [--rounds N] [--json FILE]

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  cleanExit,
  firstRecipe,
  guardMemory,
  guardMemoryBesideNode,
  killedToGone,
  manyJournals,
  recipe,
} from "./durable.mjs";
import { installed } from "./installed.mjs";
import { compare } from "./measure.mjs";
import { command } from "./command.mjs";
import { million } from "./million.mjs";
import { naturalEnd, sigterm } from "./process.mjs";
import { registration } from "./registration.mjs";
import { cancel, unregister } from "./removal.mjs";
import { resources } from "./resources.mjs";
import { unseenAsync, unseenSync } from "./unseen.mjs";
import { startUp, startUpCommonJs } from "./start-up.mjs";

const ROWS = [
  startUp,
  startUpCommonJs,
  registration,
  million,
  cancel,
  unregister,
  naturalEnd,
  sigterm,
  recipe,
  firstRecipe,
  manyJournals,
  guardMemory,
  guardMemoryBesideNode,
  killedToGone,
  cleanExit,
  ...resources,
  command,
  unseenSync,
  unseenAsync,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: "string", default: process.execPath },
    rounds: { type: "string" },
    json: { type: "string" },
  },
});
const unknown = positionals.find((name) => ROWS.every((row) => row.name !== name));
if (unknown !== undefined) {
  console.error(`There is no row "${unknown}". Rows: ${ROWS.map((row) => row.name).join(", ")}`);
  process.exit(2);
}
const chosen = positionals.length === 0 ? ROWS : ROWS.filter((row) => positionals.includes(row.name));
const version = spawnSync(values.node, ["--version"], { encoding: "utf8" }).stdout.trim();

const packages = await installed();
const results = [];
try {
  for (const row of chosen) results.push(measured(row, { node: values.node, program: packages.program }));
} finally {
  packages.remove();
}
if (process.stderr.isTTY) process.stderr.write("\x1b[2K\r");
console.log(table(results));
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ node: version, results }, undefined, 2)}\n`);
}

function measured(row, at) {
  const { name, what, peer, unit, atMost, lessThan } = row;
  const promise = atMost !== undefined ? `≤ ${atMost}` : lessThan !== undefined ? `< ${lessThan}` : "none";
  const skipped = row.missing?.();
  if (skipped !== undefined) return { name, what, peer, promise, skipped };
  if (process.stderr.isTTY) process.stderr.write(`\x1b[2K\r${name} ...`);
  const rounds = Number(values.rounds ?? row.rounds);
  const result = compare(
    rounds,
    () => row.ours(at),
    () => row.theirs(at),
  );
  const kept = !(result.ratio > atMost) && !(result.ratio >= lessThan);
  return { name, what, peer, unit, promise, kept, ...result };
}

function table(rows) {
  const head = ["row", "what", "beside", "ours", "theirs", "ratio", "least–most", "promise", "kept"];
  const lines = [head, head.map(() => "---"), ...rows.map(cells)];
  return [`Node.js ${version}`, "", ...lines.map((line) => `| ${line.join(" | ")} |`)].join("\n");
}

function cells({ name, what, peer, unit, ours, theirs, ratio, least, most, promise, kept, skipped }) {
  if (skipped !== undefined) return [name, what, peer, "", "", "", "", promise, `skipped: ${skipped}`];
  const digits = unit === "ns" ? 0 : 2;
  return [
    name,
    what,
    peer,
    `${ours.toFixed(digits)} ${unit}`,
    `${theirs.toFixed(digits)} ${unit}`,
    ratio.toFixed(2),
    `${least.toFixed(2)}–${most.toFixed(2)}`,
    promise,
    kept ? "yes" : "no",
  ];
}
