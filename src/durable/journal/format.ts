// The format of a journal: one JSON object a line, always appended.
//
//   {"atexit":1,"owner":{…},…}     the header
//   {"locked":true}                 the guard holds a kernel lock on the file
//   {"id":7,"do":"remove",…}        a recipe
//   {"done":7}                      it was carried out, or cancelled
//   {"complete":true}               the last line of a shorter copy

import type { Owner } from "../../platform/process-identity.ts";

/** The version of the format; it rises when an older package could no longer carry a journal out. */
export const VERSION = 1;

/** The size beyond which a journal is neither written nor read, in bytes. */
export const LONGEST_JOURNAL = 128 * 1024 * 1024;

/** The first line: the journal's owner, and the facts needed to carry the journal out. */
export interface Header {
  readonly atexit: typeof VERSION;
  readonly owner: Owner;
  /** The owner's command line, for people. */
  readonly program: string;
  /** When the journal was begun, in ISO 8601. */
  readonly since: string;
  /** The owner's executable. */
  readonly node: string;
  /** The file that the trace of the owner's end is written to, where there is one. */
  readonly trace?: string;
}

/** The line that the guard writes when it holds the lock. */
export const LOCKED = '{"locked":true}\n';

/** The last line of a shorter copy: a copy without it does not count. */
export const COMPLETE = '{"complete":true}\n';
