// atexit report: shows what a shutdown did, how long it took, and what it waited
// for, from the traces that ATEXIT_TRACE has written.

import { createReadStream, createWriteStream, readdirSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { compare, type Comparison } from "../trace/compare-shutdowns.ts";
import { changeOf, htmlOf } from "../trace/html-report.ts";
import { duration } from "../trace/chart-layout.ts";
import { fitted } from "../trace/paint.ts";
import type { TraceRecord } from "../trace/trace-event.ts";
import { ShutdownHistories, type ShutdownHistory } from "../trace/shutdown-history.ts";
import { svgOf } from "../trace/svg-chart.ts";
import { forTerminal, inTerminal, type Terminal } from "../trace/text-report.ts";
import { plain, progress } from "./terminal.ts";
import { EXIT, optionsIn, UsageError } from "./arguments.ts";
import { reportOptions } from "./options.ts";

const FORMATS = ["terminal", "html", "svg", "trace", "json"] as const;
type Format = (typeof FORMATS)[number];

const ENDINGS: Readonly<Record<string, Format>> = {
  ".html": "html",
  ".htm": "html",
  ".svg": "svg",
  ".txt": "terminal",
};

/** The length beyond which a line is not of this package, in characters. */
const LONGEST_LINE = 4 * 1024 * 1024;

export async function reportCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, reportOptions);
  const { format: wanted, output, rows } = values;
  if (positionals.length === 0) {
    throw new UsageError("atexit report takes the files that ATEXIT_TRACE has written, or their directories");
  }
  const format = wanted ?? (output === undefined ? "terminal" : (ENDINGS[extname(output)] ?? "terminal"));
  if (!isFormat(format)) throw new UsageError(`--format takes one of ${FORMATS.join(", ")}, and not ${format}`);
  const limit = rows === undefined ? undefined : Number(rows);
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new UsageError(`--rows takes a number, and not ${rows}`);
  }
  const files = positionals.flatMap(filesIn);
  const out = output === undefined ? process.stdout : createWriteStream(output);
  // The reader may close the pipe early.
  out.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  const over = progress(`Reading ${files.length === 1 ? files[0] : `${files.length} files`}`);
  try {
    if (format === "trace") await writeTrace(files, out);
    else await writePicture(files, out, format, limit);
  } finally {
    over();
  }
  if (out !== process.stdout) {
    out.end();
    await once(out, "close");
  }
}

function isFormat(text: string): text is Format {
  return (FORMATS as readonly string[]).includes(text);
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path).filter((file) => file.endsWith(".trace.json"));
  if (files.length === 0) throw new UsageError(`There is no trace in ${path}: none of its files ends in .trace.json`);
  return files.sort().map((file) => join(path, file));
}

async function writePicture(files: string[], out: Writable, format: Format, limit: number | undefined): Promise<void> {
  const histories: ShutdownHistory[] = [];
  for (const file of files) {
    const told = new ShutdownHistories(limit);
    let unread = 0;
    for await (const record of recordsIn(file, () => (unread += 1))) told.take(record);
    if (unread > 0) process.stderr.write(`atexit: ${file}: ${unread} lines cannot be read, and were left out\n`);
    histories.push(...told.all());
  }
  if (histories.length === 0) {
    process.stderr.write(`atexit: there is no shutdown in ${files.join(", ")}\n`);
    process.exitCode = EXIT.failed;
    return;
  }
  if (format === "json") await write(out, `${JSON.stringify(histories, null, 2)}\n`);
  else if (format === "html") await write(out, htmlOf(histories, limit));
  else if (format === "svg") await write(out, svgOf(worstOf(histories), limit));
  else {
    const isTerminal = out === process.stdout && process.stdout.isTTY === true;
    await write(
      out,
      inText(histories, forTerminal(process.env, isTerminal, isTerminal ? process.stdout.columns : undefined), limit),
    );
  }
}

/** Shows a single shutdown whole; of several the comparison, and the worst. */
function inText(histories: readonly ShutdownHistory[], terminal: Terminal, rows: number | undefined): string {
  const options = rows === undefined ? {} : { rows };
  const [only] = histories;
  if (histories.length === 1 && only !== undefined) return inTerminal(only, terminal, options);
  const { paint } = terminal;
  const compared = compare(histories).map((each) => comparison(each, terminal));
  const worst = paint("bold", `The longest of ${histories.length} shutdowns`);
  return [...compared, `${worst}\n\n${inTerminal(worstOf(histories), terminal, options)}`].join("\n");
}

/** How many cleanups a comparison has on a terminal. */
const COMPARED = 15;

function comparison(
  { program, shutdowns, median, worst, latest, failed, cleanups }: Comparison,
  { paint, width }: Terminal,
): string {
  const nameWidth = Math.min(36, width - 44);
  const cell = (time: number | undefined) => (time === undefined ? "" : duration(time)).padStart(10);
  const lines = cleanups
    .slice(0, COMPARED)
    .map(
      (of) =>
        `  ${fitted(plain(of.name), nameWidth)}${cell(of.median)}${cell(of.worst)}${cell(of.latest)}${changeOf(of).padStart(11)}`,
    );
  const more = cleanups.length - COMPARED;
  return [
    paint("bold", `${shutdowns} shutdowns of ${plain(program)}`),
    `median ${duration(median)}, worst ${duration(worst)}, latest ${duration(latest)}; ${failed} did not end well`,
    "",
    paint(
      "gray",
      `  ${"".padEnd(nameWidth)}${["median", "worst", "latest"].map((word) => word.padStart(10)).join("")}${"change".padStart(11)}`,
    ),
    ...lines,
    ...(more > 0 ? [paint("gray", `  and ${more} that changed less`)] : []),
    "",
  ].join("\n");
}

function worstOf(histories: readonly ShutdownHistory[]): ShutdownHistory {
  return [...histories].sort((a, b) => b.endedAt - b.beganAt - (a.endedAt - a.beganAt))[0] as ShutdownHistory;
}

/** Writes all records as one whole JSON document, in little memory. */
async function writeTrace(files: readonly string[], out: Writable): Promise<void> {
  await write(out, '{"displayTimeUnit":"ms","traceEvents":[');
  let separator = "\n";
  for (const file of files) {
    for await (const record of recordsIn(file, () => {})) {
      await write(out, `${separator}${JSON.stringify(record)}`);
      separator = ",\n";
    }
  }
  await write(out, "\n]}\n");
}

async function write(out: Writable, text: string): Promise<void> {
  if (!out.write(text)) await once(out, "drain");
}

/** Reads one record a line; the last line may be torn where its process was killed. */
async function* recordsIn(file: string, unread: () => void): AsyncGenerator<TraceRecord> {
  for await (const line of linesIn(file)) {
    const text = line.trim().replace(/,$/, "");
    if (text === "" || text === "[" || text === "]" || text === "]}" || text.endsWith('"traceEvents":[')) continue;
    const record = text.length > LONGEST_LINE ? undefined : parsed(text);
    if (record === undefined) unread();
    else yield record;
  }
}

/** Reads lines that only "\n" ends: for node:readline U+2028 and U+2029 do as well, which a name may hold. */
async function* linesIn(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(file, "utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function parsed(text: string): TraceRecord | undefined {
  try {
    const record: unknown = JSON.parse(text);
    const isOne = typeof record === "object" && record !== null && "ph" in record && "args" in record;
    return isOne && typeof record.args === "object" && record.args !== null ? (record as TraceRecord) : undefined;
  } catch {
    return undefined;
  }
}
