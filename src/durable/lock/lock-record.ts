// The content of a lock file, read with no faith in it: all users may have
// written one, in a directory such as /tmp.

import { builtin } from "../../platform/node-builtins.ts";
import { isOwner, type Owner } from "../../platform/process-identity.ts";
import { parseToken } from "../journal/file-name.ts";
import type { JsonValue } from "../json-value.ts";

/** The first line of an owner file. Its token comes first. */
export interface LockRecord {
  readonly atexit: 1;
  /** Unique: no two owners, and no two starts of one, have the same. */
  readonly token: string;
  readonly owner: Owner;
  /** Whether its owner's system alone uses the file system that the lock is on. */
  readonly isLocal?: boolean;
  /** The owner's executable and script, for people. */
  readonly program?: string;
  readonly host?: string;
  /** The directory of the owner's recipes: the lock is free when they have been carried out. */
  readonly journals?: string;
  /** Device and inode of that directory: elsewhere its path may mean another one. */
  readonly journalsAre?: readonly [dev: number, ino: number];
  /** The data that the program shows to others. */
  readonly data?: JsonValue;
}

/** How long the data of a holder may be, as JSON in bytes. */
export const LONGEST_DATA = 256 * 1024;

/** How much of a lock file is written, and read, in bytes: the data, and room for the rest. */
export const LONGEST_FILE = LONGEST_DATA + 64 * 1024;

/** The line that is appended when the kernel lock is there. */
export const PROVABLE = '{"locked":true}';

/** The length beyond which a text is cut, and a token is none. */
const LONGEST_TEXT = 1_000;
const LONGEST_TOKEN = 200;

const fs = builtin("fs");

export interface ReadRecord {
  /** `undefined` where the line is torn, too long, or of something else. */
  readonly record: LockRecord | undefined;
  /** Whether a kernel lock tells that the holder lives. */
  readonly isProvable: boolean;
}

/** Reads an open lock file. */
export function readRecord(fd: number, size: number): ReadRecord {
  const buffer = Buffer.alloc(Math.min(size, LONGEST_FILE));
  const lines = buffer.toString("utf8", 0, fs.readSync(fd, buffer, 0, buffer.length, 0)).split("\n", 3);
  const [first = "", second] = lines;
  // A line without an end is not whole.
  const record = second === undefined ? undefined : parseRecord(first);
  return { record, isProvable: record !== undefined && second === PROVABLE && lines.length > 2 };
}

function parseRecord(line: string): LockRecord | undefined {
  let parsed: { readonly [K in keyof LockRecord]?: unknown } | null;
  try {
    parsed = JSON.parse(line) as typeof parsed;
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed?.atexit !== 1) return undefined;
  const { token, owner, isLocal, program, host, journals, journalsAre, data } = parsed;
  if (typeof token !== "string" || token.length > LONGEST_TOKEN || parseToken(token) === undefined) return undefined;
  if (!isOwner(owner)) return undefined;
  const isText = (value: unknown): value is string => typeof value === "string";
  return {
    atexit: 1,
    token,
    owner,
    ...(typeof isLocal === "boolean" ? { isLocal } : {}),
    ...(isText(program) ? { program: program.slice(0, LONGEST_TEXT) } : {}),
    ...(isText(host) ? { host: host.slice(0, LONGEST_TEXT) } : {}),
    ...(isText(journals) && isDevAndIno(journalsAre) ? { journals, journalsAre } : {}),
    ...(data === undefined ? {} : { data: data as JsonValue }),
  };
}

function isDevAndIno(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => Number.isFinite(part));
}

/** Reports whether an open file is the owner file of a token, whole or torn. */
export function isOwnerFile(fd: number, token: string): boolean {
  const beginning = Buffer.from(`{"atexit":1,"token":${JSON.stringify(token)}`);
  const buffer = Buffer.alloc(beginning.length);
  const read = fs.readSync(fd, buffer, 0, buffer.length, 0);
  return buffer.subarray(0, read).equals(beginning.subarray(0, read));
}
