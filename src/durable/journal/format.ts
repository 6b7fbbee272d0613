// The format of a journal: one JSON object a line, always appended.
//
//   {"atexit":1,"owner":{…},…}     the header
//   {"locked":true}                 the guard holds a kernel lock on the file
//   {"id":7,"do":"remove",…}        a recipe
//   {"done":7}                      it was carried out, or cancelled
//   {"complete":true}               the last line of a shorter copy

import type { Owner } from "../../platform/process-identity.ts";

/** The number rises when an older version could no longer carry a journal out. */
export const VERSION = 1;

/** A journal beyond this is neither written nor read, in bytes. */
export const LONGEST_JOURNAL = 128 * 1024 * 1024;

/** The first line: whose journal it is, and what it takes to carry it out. */
export interface Header {
  readonly atexit: typeof VERSION;
  readonly owner: Owner;
  /** What the owner runs, for people. */
  readonly program: string;
  /** When the journal was begun, in ISO 8601. */
  readonly since: string;
  /** The owner's executable. */
  readonly node: string;
  /** The file that the story of the owner's end is written to, where there is one. */
  readonly trace?: string;
}

/** What the guard writes when it holds the lock. */
export const LOCKED = '{"locked":true}\n';

/** The last line of a shorter copy: without it, it is none. */
export const COMPLETE = '{"complete":true}\n';
