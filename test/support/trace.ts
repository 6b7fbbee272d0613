// Traces, as the programs of these tests write them, and what the command makes of them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TraceRecord } from "../../src/trace/trace-event.ts";
import { atexit, type Place } from "./place.ts";

/** The records of a trace that may have no end. */
export function recordsOf(file: string): TraceRecord[] {
  const text = readFileSync(file, "utf8");
  return JSON.parse(`${text.replace(/,\n$/, "\n")}]`) as TraceRecord[];
}

/** As `--format json` has it. */
export interface Story {
  readonly program: string;
  readonly pid: number;
  readonly thread: string;
  readonly exit?: { readonly kind: string; readonly code: number; readonly signal?: string; readonly error?: string };
  readonly beganAt: number;
  readonly endedAt: number;
  readonly outcome: string;
  readonly rows: readonly Row[];
  readonly leftOut: { readonly count: number; readonly total: number; readonly neverRan: number };
}

export interface Row {
  readonly n?: number;
  readonly name: string;
  readonly site?: string;
  readonly within?: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly outcome: string;
  readonly error?: string;
  readonly waitingOn?: readonly string[];
  readonly replay?: { readonly by: string; readonly pid: number; readonly outcome?: string };
}

export async function storiesOf(place: Place, ...files: string[]): Promise<Story[]> {
  const { stdout, stderr, code } = await atexit(place, ["report", ...files, "--format", "json"]);
  if (code !== 0) throw new Error(`atexit report ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Story[];
}

/** `outer ok`, `pool timed out`: each row in a word or two. */
export function outcomesOf({ rows }: Story): string[] {
  return rows.map(({ name, outcome }) => `${name}: ${outcome}`);
}

export function traceOf({ work }: Place): string {
  return join(work, "trace.json");
}
