// Reads a journal, as another process that may carry it out: in bounded
// memory, and with no faith in what it holds.

import { builtin } from "../../platform/node-builtins.ts";
import { type JournalDirectory, whyNotOwn } from "./directory.ts";
import type { JournalName } from "./file-name.ts";
import { COMPLETE, type Header, LONGEST_LINE, LONGEST_READ, VERSION } from "./format.ts";
import { isLacking } from "../../platform/lacking.ts";
import { isFileIdentity, isSameFile } from "../../platform/file-identity.ts";
import { hasSameView, isSameBoot, isOwner, thisProcess } from "../../platform/process-identity.ts";
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
  /** What was known of the time of the owner's death when the journal was first claimed. */
  readonly died: Died | undefined;
  /** Lines that were left out, and why. */
  readonly problems: readonly string[];
}

/** The last sign of life of an owner, by the clock of the journal's file system in milliseconds; `null` where there is no evidence. */
export interface Died {
  readonly at: number | null;
}

/** Why a journal is not read: there is nothing in it; a newer version has written it; or another reason. */
export type NotRead = "empty" | "newer" | { readonly refused: string };

const COPY =
  "it is a copy of the journal that its owner has written, or was restored from one: what it tells may be over, or cancelled";

/** How many problems of one journal are reported. */
const MOST_PROBLEMS = 10;

const CHUNK = 64 * 1024;

const fs = builtin("fs");

/** Reads a journal, or the shorter version that stands for it. */
export function readJournal(directory: JournalDirectory, { file, journal }: JournalName): ReadJournal | NotRead {
  const state = new State();
  const why = readInto(state, directory.file(file), directory.file(`${journal}.next`));
  if (why !== undefined) return { refused: why };
  if (state.isNewer) return "newer";
  if (state.refused !== undefined) return { refused: state.refused };
  if (state.header === undefined) return state.isEmpty ? "empty" : { refused: "it has no header" };
  const { header, pending, locked, died, problems } = state;
  if (!isWrittenInto(directory.file(file), header)) return { refused: COPY };
  return { header, pending: [...pending.values()], locked, died, problems };
}

/** Reports whether a file is the one that the owner of a journal has written, whatever its name is by now. */
function isWrittenInto(path: string, { owner, file }: Header): boolean {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  const sameDevices = isSameBoot(owner.boot, thisProcess().boot) && hasSameView(owner);
  return stats !== undefined && isSameFile(stats, path, file, sameDevices);
}

/** Returns the header alone, of a journal that may be long and in use. */
export function readHeader(directory: JournalDirectory, { file, journal }: JournalName): Header | undefined {
  return readBeginning(directory.file(file)).header ?? readBeginning(directory.file(`${journal}.next`)).header;
}

/** Reports whether a journal tells of a kernel lock, which its owner and its guard hold as long as they live. */
export function tellsOfLock(directory: JournalDirectory, { file }: JournalName): boolean {
  return readBeginning(directory.file(file)).locked;
}

/** The length beyond which a line may be nested too deep, in characters. */
const DEEP = 4_096;

/** The guard writes its line as soon as it has begun, soon after the owner's first. */
const BEGINNING = 20_000;

function readBeginning(path: string): State {
  const state = new State();
  readLines(path, (line) => {
    state.take(line);
    const isEnough = state.header !== undefined && state.locked;
    return !isEnough && state.refused === undefined && !state.isNewer && state.lines < BEGINNING;
  });
  return state;
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
    return state.refused === undefined && !state.isNewer;
  });
}

/** The content of the lines read so far. */
class State {
  header: Header | undefined;
  refused: string | undefined;
  isNewer = false;
  pending = new Map<number, Pending>();
  locked = false;
  died: Died | undefined;
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
    else if (line["died"] !== undefined) this.#takeDied(line["died"]);
    else if (Number.isSafeInteger(line["id"]) && isRecipe(line)) this.#takeRecipe(line);
    else this.#problem(`line ${this.lines} is no recipe that this version knows: ${text.slice(0, 200)}`);
  }

  #takeHeader(line: Readonly<Record<string, unknown>>): void {
    if (line["atexit"] !== VERSION) this.isNewer = true;
    else if (isHeader(line)) this.header = line as unknown as Header;
    else this.refused = "its header cannot be read";
  }

  #takeTry(id: number): void {
    const pending = this.pending.get(id);
    if (pending !== undefined) pending.tries += 1;
  }

  #takeDied(at: unknown): void {
    this.died ??= { at: Number.isFinite(at) ? (at as number) : null };
  }

  #takeRecipe({ id, ...recipe }: Readonly<Record<string, unknown>>): void {
    const tries = this.pending.get(id as number)?.tries ?? 0;
    this.pending.set(id as number, { id: id as number, recipe: recipe as unknown as Recipe, tries });
  }

  #problem(problem: string): void {
    if (this.problems.length < MOST_PROBLEMS) this.problems.push(problem);
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    // What is nested so deep that it cannot be written again would end who looks at it.
    if (line.length > DEEP) JSON.stringify(parsed);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isHeader({
  owner,
  file,
  program,
  since,
  isLocal,
  uptime,
  runtime,
  trace,
}: Readonly<Record<string, unknown>>): boolean {
  return (
    isOwner(owner) &&
    isFileIdentity(file) &&
    [program, since].every(isText) &&
    Array.isArray(runtime) &&
    runtime.every(isText) &&
    typeof isLocal === "boolean" &&
    Number.isFinite(uptime) &&
    (trace === undefined || isText(trace))
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string";
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
    if (isLacking(error)) throw error; // that says nothing about the journal
    return code === "ELOOP" ? "it is a symbolic link" : message;
  }
  try {
    const stats = fs.fstatSync(fd);
    const why = whyNotOwn(stats);
    if (why !== undefined) return why;
    if (stats.size > LONGEST_READ) return `it is longer than ${LONGEST_READ} bytes`;
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
