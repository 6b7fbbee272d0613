// Reads a journal, as another process that may carry it out: in bounded
// memory, and with no faith in what it holds.

import { builtin } from "../../platform/node-builtins.ts";
import { whyNotOwn } from "./directory.ts";
import { COMPLETE, type Header, LONGEST_JOURNAL, VERSION } from "./format.ts";
import type { Owner } from "../../platform/process-identity.ts";
import { isRecipe, type Recipe } from "../recipes/recipe.ts";

/** A recipe that is still to be carried out. */
export interface Pending {
  readonly id: number;
  readonly recipe: Recipe;
  /** How often the recipe was begun already. */
  tries: number;
}

export interface ReadJournal {
  readonly header: Header;
  /** Oldest first. */
  readonly pending: readonly Pending[];
  /** Whether the owner and its guard hold a kernel lock on the journal as long as they live. */
  readonly locked: boolean;
  /** Lines that were left out, and why. */
  readonly problems: readonly string[];
}

/** The length beyond which a line is no recipe, in bytes. */
const LONGEST_LINE = 1024 * 1024;

/** How many problems of one journal are reported. */
const MOST_PROBLEMS = 10;

const CHUNK = 64 * 1024;

const fs = builtin("fs");

/**
 * @param path where it is now
 * @param copy where a shorter version of it may be
 * @returns the journal; why no process may carry it out; `"empty"` where there is nothing in it
 */
export function readJournal(path: string, copy: string): ReadJournal | "empty" | { readonly refused: string } {
  const state = new State();
  const why = readInto(state, path, copy);
  if (why !== undefined) return { refused: why };
  if (state.refused !== undefined) return { refused: state.refused };
  if (state.header === undefined) return state.isEmpty ? "empty" : { refused: "it has no header" };
  const { header, pending, locked, problems } = state;
  return { header, pending: [...pending.values()], locked, problems };
}

/** Returns the header alone, of a journal that may be long and in use. */
export function readHeader(path: string): Header | undefined {
  const state = new State();
  const why = readLines(path, (line) => {
    state.take(line);
    return state.header === undefined && state.refused === undefined && state.lines < 3;
  });
  return why === undefined ? state.header : undefined;
}

/** @returns why not */
function readInto(state: State, path: string, copy: string): string | undefined {
  let isComplete = false;
  const withCopy = new State();
  const hasCopy = readLines(copy, (line) => {
    isComplete = `${line}\n` === COMPLETE;
    if (!isComplete) withCopy.take(line);
    return true;
  });
  if (hasCopy === undefined && isComplete) state.become(withCopy);
  return readLines(path, (line) => {
    state.take(line);
    return state.refused === undefined;
  });
}

/** The content of the lines read so far. */
class State {
  header: Header | undefined;
  refused: string | undefined;
  pending = new Map<number, Pending>();
  locked = false;
  problems: string[] = [];
  lines = 0;
  /** Whether there are no lines but the guard's. */
  isEmpty = true;

  become(other: State): void {
    Object.assign(this, other);
  }

  take(line: string | undefined): void {
    this.lines += 1;
    if (line === undefined) {
      this.isEmpty = false;
      this.#problem(`line ${this.lines} is longer than ${LONGEST_LINE} bytes`);
      return;
    }
    if (line.trim() === "") return;
    const parsed = parse(line);
    this.isEmpty &&= parsed?.["locked"] === true;
    if (parsed === undefined) this.#problem(`line ${this.lines} cannot be read`);
    else this.#takeParsed(parsed, line);
  }

  #takeParsed(line: Readonly<Record<string, unknown>>, text: string): void {
    if (line["locked"] === true) this.locked = true;
    else if (line["atexit"] !== undefined) this.#takeHeader(line);
    else if (this.header === undefined) this.refused = "it does not begin with a header";
    else if (line["done"] !== undefined) this.pending.delete(line["done"] as number);
    else if (line["try"] !== undefined) this.#takeTry(line["try"] as number);
    else if (Number.isSafeInteger(line["id"]) && isRecipe(line)) this.#takeRecipe(line);
    else this.#problem(`line ${this.lines} is no recipe that this version knows: ${text.slice(0, 200)}`);
  }

  #takeHeader(line: Readonly<Record<string, unknown>>): void {
    if (line["atexit"] !== VERSION) this.refused = "a newer version of atexit has written it";
    else if (isHeader(line)) this.header = line as unknown as Header;
    else this.refused = "its header cannot be read";
  }

  #takeTry(id: number): void {
    const pending = this.pending.get(id);
    if (pending !== undefined) pending.tries += 1;
  }

  #takeRecipe({ id, ...recipe }: Readonly<Record<string, unknown>>): void {
    if (this.pending.has(id as number)) return; // the shorter version has it too
    this.pending.set(id as number, { id: id as number, recipe: recipe as unknown as Recipe, tries: 0 });
  }

  #problem(problem: string): void {
    if (this.problems.length < MOST_PROBLEMS) this.problems.push(problem);
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isHeader({ owner, program, since, node, trace }: Readonly<Record<string, unknown>>): boolean {
  const isText = (value: unknown) => typeof value === "string";
  if (typeof owner !== "object" || owner === null) return false;
  const { pid, start, boot, pidns, machine, thread } = owner as { [K in keyof Owner]: unknown };
  const isThread = (value: unknown) =>
    typeof value === "object" && value !== null && "tid" in value && "start" in value && isText(value.start);
  return (
    Number.isSafeInteger(pid) &&
    [start, boot, pidns, machine, program, since, node].every(isText) &&
    (thread === undefined || isThread(thread)) &&
    (trace === undefined || isText(trace))
  );
}

/**
 * Calls back for each whole line, with `undefined` for a line that is too long;
 * a last line without its end was never finished, and is left out.
 *
 * @returns why the file is not read
 */
function readLines(path: string, each: (line: string | undefined) => boolean): string | undefined {
  const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ELOOP" ? "it is a symbolic link" : message;
  }
  try {
    const stats = fs.fstatSync(fd);
    const why = whyNotOwn(stats);
    if (why !== undefined) return why;
    if (stats.size > LONGEST_JOURNAL) return `it is longer than ${LONGEST_JOURNAL} bytes`;
    eachLine(fd, each);
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}

function eachLine(fd: number, each: (line: string | undefined) => boolean): void {
  const chunk = Buffer.alloc(CHUNK);
  let parts: Buffer[] = [];
  let length = 0;
  const line = () => (length > LONGEST_LINE ? undefined : Buffer.concat(parts).toString());
  for (let position = 0; ;) {
    const read = fs.readSync(fd, chunk, 0, CHUNK, position);
    if (read === 0) return;
    position += read;
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1 && end < read; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end));
      length += end - from;
      if (!each(line())) return;
      parts = [];
      length = 0;
      from = end + 1;
    }
    length += read - from;
    if (length > LONGEST_LINE) parts = [];
    else parts.push(Buffer.from(chunk.subarray(from, read)));
  }
}
