// Reads traces: the files that are meant, and their records, one a line. A file is
// read once, from its beginning to its end, and a line that is too long is skipped.

import { constants, createReadStream, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { openRegularFile } from "../platform/regular-file.ts";
import { UsageError } from "./arguments.ts";

/** A record, as its line has it; what it tells is for others to make out. */
export interface ReadRecord {
  readonly record: Readonly<Record<string, unknown>>;
  readonly json: string;
}

/** The length beyond which a line is not of this package, in characters. */
const LONGEST_LINE = 4 * 1024 * 1024;

/** @throws a {@link UsageError}; the system's error */
export function traceFilesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path).filter((file) => file.endsWith(".trace.json"));
  if (files.length === 0) throw new UsageError(`There is no trace in ${path}: none of its files ends in .trace.json`);
  return files.sort().map((file) => join(path, file));
}

/**
 * Reads one record a line, many at a time; the last line may be torn where its
 * process was killed.
 *
 * @param unread called for each line that is no record
 * @throws the system's error; one with the code `EFTYPE` where it is no regular file
 */
export async function* recordsIn(file: string, unread: () => void): AsyncGenerator<readonly ReadRecord[]> {
  for await (const lines of linesIn(file)) {
    const records: ReadRecord[] = [];
    for (const line of lines) {
      const json = line?.trim().replace(/,$/, "");
      if (json === "" || json === "[" || json === "]" || json === "]}" || json?.endsWith('"traceEvents":[')) continue;
      const record = json === undefined ? undefined : parsed(json);
      if (record === undefined) unread();
      else records.push({ record, json: json as string });
    }
    yield records;
  }
}

/**
 * Reads lines that only "\n" ends: for node:readline U+2028 and U+2029 do as well,
 * which a name may hold. A line that is too long is `undefined`.
 */
async function* linesIn(file: string): AsyncGenerator<readonly (string | undefined)[]> {
  let parts: string[] = [];
  let length = 0;
  const add = (part: string) => {
    length += part.length;
    if (length > LONGEST_LINE) parts = [];
    else parts.push(part);
  };
  const line = () => {
    const whole = length > LONGEST_LINE ? undefined : parts.join("");
    parts = [];
    length = 0;
    return whole;
  };
  // Whoever names a link means what it leads to.
  const { fd } = openRegularFile(realpathSync(file), constants.O_RDONLY);
  for await (const chunk of createReadStream("", { fd, encoding: "utf8" }) as AsyncIterable<string>) {
    const lines: (string | undefined)[] = [];
    let from = 0;
    for (let end = chunk.indexOf("\n"); end !== -1; end = chunk.indexOf("\n", from)) {
      add(chunk.slice(from, end));
      lines.push(line());
      from = end + 1;
    }
    add(chunk.slice(from));
    yield lines;
  }
  if (length > 0) yield [line()];
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const record: unknown = JSON.parse(text);
    return isObject(record) && "ph" in record && isObject(record["args"]) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
