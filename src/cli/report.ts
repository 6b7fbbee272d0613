// atexit report: shows what a shutdown did, how long it took, and what it waited
// for, from the traces that ATEXIT_TRACE has written.

import { constants, createWriteStream, existsSync, realpathSync } from "node:fs";
import { extname } from "node:path";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { compare, type Comparison } from "../trace/compare-shutdowns.ts";
import { changeOf, htmlOf } from "../trace/html-report.ts";
import { duration } from "../trace/chart-layout.ts";
import { HistoryCollection, worstOf } from "../trace/history-collection.ts";
import { fitted } from "../trace/paint.ts";
import { printable, printableJson, printableJsonText } from "../platform/printable.ts";
import { openRegularFile } from "../platform/regular-file.ts";
import { ShutdownHistories, type ShutdownHistory } from "../trace/shutdown-history.ts";
import { svgOf } from "../trace/svg-chart.ts";
import { forTerminal, inTerminal, type Terminal } from "../trace/text-report.ts";
import { progress } from "./terminal.ts";
import { EXIT, optionsIn, UsageError } from "./arguments.ts";
import { reportOptions } from "./options.ts";
import { type ReadRecord, recordsIn, traceFilesIn } from "./trace-records.ts";

const FORMATS = ["terminal", "html", "svg", "trace", "json"] as const;
type Format = (typeof FORMATS)[number];

const ENDINGS: Readonly<Record<string, Format>> = {
  ".html": "html",
  ".htm": "html",
  ".svg": "svg",
  ".txt": "terminal",
};

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
  const files = positionals.flatMap(traceFilesIn);
  const out = output === undefined ? process.stdout : fileFor(output);
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

/** @throws the system's error, also where something else than a regular file is there */
function fileFor(output: string): Writable {
  const { O_CREAT, O_TRUNC, O_WRONLY } = constants;
  // Whoever names a link means what it leads to.
  const path = existsSync(output) ? realpathSync(output) : output;
  const { fd } = openRegularFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666);
  return createWriteStream("", { fd });
}

async function writePicture(
  files: readonly string[],
  out: Writable,
  format: Format,
  limit: number | undefined,
): Promise<void> {
  const histories = await historiesIn(files, limit);
  if (histories.length === 0) {
    warn(`there is no shutdown in ${files.join(", ")}`);
    process.exitCode = EXIT.failed;
    return;
  }
  if (format === "json") await writeJson(histories, out);
  else if (format === "html") for (const part of htmlOf(histories, limit)) await write(out, part);
  else if (format === "svg") await write(out, svgOf(worstOf(histories), limit));
  else {
    const isTerminal = out === process.stdout && process.stdout.isTTY === true;
    await write(
      out,
      inText(histories, forTerminal(process.env, isTerminal, isTerminal ? process.stdout.columns : undefined), limit),
    );
  }
}

async function historiesIn(files: readonly string[], limit: number | undefined): Promise<readonly ShutdownHistory[]> {
  const collection = new HistoryCollection();
  let forgotten = 0;
  for (const file of files) {
    const told = new ShutdownHistories(limit);
    let unread = 0;
    for await (const records of readable(file, files.length > 1, () => (unread += 1))) {
      for (const { record } of records) told.take(record);
    }
    unread += told.unread;
    if (unread > 0) warn(`${file}: ${unread} lines cannot be read, and were left out`);
    collection.add(told.all());
    forgotten += told.forgotten;
  }
  forgotten += collection.forgotten;
  if (forgotten > 0) warn(`${forgotten} earlier shutdowns were left out`);
  return collection.all();
}

/** Returns the records of a file. One of several that cannot be opened is said, and left out. */
async function* readable(
  file: string,
  isOneOfMany: boolean,
  unread: () => void,
): AsyncGenerator<readonly ReadRecord[]> {
  try {
    yield* recordsIn(file, unread);
  } catch (error) {
    if (!isOneOfMany) throw error;
    warn((error as Error).message);
  }
}

function warn(text: string): void {
  process.stderr.write(`atexit: ${printable(text)}\n`);
}

/** Writes an array of shutdowns, one after the other: together they may be longer than a string can be. */
async function writeJson(histories: readonly ShutdownHistory[], out: Writable): Promise<void> {
  let separator = "[\n";
  for (const history of histories) {
    await write(out, `${separator}  ${printableJson(history, 2).replaceAll("\n", "\n  ")}`);
    separator = ",\n";
  }
  await write(out, "\n]\n");
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
  const nameWidth = Math.max(4, Math.min(36, width - 44));
  const cell = (time: number | undefined) => (time === undefined ? "" : duration(time)).padStart(10);
  const lines = cleanups
    .slice(0, COMPARED)
    .map(
      (of) =>
        `  ${fitted(printable(of.name), nameWidth)}${cell(of.median)}${cell(of.worst)}${cell(of.latest)}${changeOf(of).padStart(11)}`,
    );
  const more = cleanups.length - COMPARED;
  return [
    paint("bold", `${shutdowns} shutdowns of ${printable(program)}`),
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

/** Writes all records as one whole JSON document, in little memory. */
async function writeTrace(files: readonly string[], out: Writable): Promise<void> {
  await write(out, '{"displayTimeUnit":"ms","traceEvents":[');
  let separator = "\n";
  for (const file of files) {
    for await (const records of readable(file, files.length > 1, () => {})) {
      if (records.length === 0) continue;
      await write(out, separator + records.map(({ json }) => printableJsonText(json)).join(",\n"));
      separator = ",\n";
    }
  }
  await write(out, "\n]}\n");
}

async function write(out: Writable, text: string): Promise<void> {
  if (!out.write(text)) await once(out, "drain");
}
