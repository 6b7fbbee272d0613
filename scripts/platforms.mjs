// Writes the table of docs/platforms.md from the tests in test/systems: what runs on
// every system, and where. With --check it only says whether the page has it.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const PAGE = new URL("../docs/platforms.md", import.meta.url);
const TESTS = new URL("../test/systems/", import.meta.url);

const BEGIN = "<!-- from the tests, by scripts/platforms.mjs -->";
const END = "<!-- to here -->";

/** The parts of the package, in the order of the page, by their test files. */
const PARTS = {
  exits: "Ways out",
  durable: "Recipes",
  access: "The directory of journals",
  resources: "Resources",
  command: "The command",
};

const EVERYWHERE = ["system", "bed", "bed"];

/** By what a test says of where it does not run; what a test says that is not here is a mistake. */
const WHERE = {
  "!isWindows": ["–", "–", "bed"],
  "!isWindows || isWine": ["–", "–", "reading"],
  'isWindows && "no process can be sent one"': ["system", "bed", "–"],
  isWindows: ["system", "bed", "–"],
  "!hasOpenLocks": ["–", "bed", "bed"],
};

/** A test's title, and what it says of where it does not run. The ways out are a list. */
const TEST = /^test\(\s*"([^"]+)"(?:, \{ skip: (.+?) \})?, async/gm;
const WAY = /^ {2}\["([^"]+)", /gm;

function rowsOf(part) {
  const text = readFileSync(new URL(`${part}.test.ts`, TESTS), "utf8");
  const ways = [...text.matchAll(WAY)].map(([, title]) => ({ title, where: EVERYWHERE }));
  const tests = [...text.matchAll(TEST)].map(([, title, skip]) => {
    const where = skip === undefined ? EVERYWHERE : WHERE[skip];
    if (where === undefined) throw new Error(`${part}.test.ts: where does a test run that is skipped for ${skip}?`);
    return { title, where };
  });
  return [...ways, ...tests];
}

function table() {
  const files = readdirSync(TESTS).filter((file) => file.endsWith(".test.ts") && file !== "mac-like.test.ts");
  const unknown = files.filter((file) => !(file.replace(".test.ts", "") in PARTS));
  if (unknown.length > 0) throw new Error(`${unknown} is no part of the table`);
  const lines = ["| | Linux | macOS | Windows |", "| --- | --- | --- | --- |"];
  for (const [part, title] of Object.entries(PARTS)) {
    lines.push(`| **${title}** | | | |`);
    for (const row of rowsOf(part)) lines.push(`| ${row.title.replaceAll("|", "\\|")} | ${row.where.join(" | ")} |`);
  }
  return lines.join("\n");
}

const page = readFileSync(PAGE, "utf8");
const [before, rest] = page.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`docs/platforms.md has no place for the table`);
const written = `${before}${BEGIN}\n\n${table()}\n\n${END}${after}`;
if (!process.argv.includes("--check")) writeFileSync(PAGE, written);
else if (page !== written) {
  console.error("docs/platforms.md is not what the tests are: run node scripts/platforms.mjs.");
  process.exitCode = 1;
}
