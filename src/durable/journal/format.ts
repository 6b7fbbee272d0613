// The format of a journal: one JSON object a line, always appended.
//
//   {"atexit":1.2,"owner":{…},…}   the header
//   {"locked":true}                 the guard holds a kernel lock on the file
//   {"id":7,"do":"remove",…}        a recipe; a second line with its id stands for the first
//   {"done":7}                      it was carried out, or cancelled
//   {"try":7}                       it was begun
//   {"died":…}                      what is known of the time of the owner's death, when the journal was first claimed
//   {"complete":true}               the last line of a shorter copy

import type { FileIdentity } from "../../platform/file-identity.ts";
import type { Owner } from "../../platform/process-identity.ts";

/**
 * The version of the format; it rises when an older package could no longer carry a
 * journal out. A journal of another version is left to those who understand it.
 */
export const VERSION = 1.2;

/** The size beyond which a journal is not written, in bytes. */
export const LONGEST_JOURNAL = 128 * 1024 * 1024;

/** The size beyond which it is not read, in bytes: who carries it out adds lines. */
export const LONGEST_READ = LONGEST_JOURNAL + 32 * 1024 * 1024;

/** The length beyond which a line is no recipe, in bytes. */
export const LONGEST_LINE = 1024 * 1024;

/** The first line: the journal's owner, and the facts needed to carry the journal out. */
export interface Header {
  readonly atexit: typeof VERSION;
  readonly owner: Owner;
  /** The file that it was written into: a copy, or one that was restored, tells of what may be over or cancelled. */
  readonly file: FileIdentity;
  /** The owner's command line, for people. */
  readonly program: string;
  /** When the journal was begun, in ISO 8601. */
  readonly since: string;
  /** Whether its owner's system alone uses the file system that the journal is on. */
  readonly isLocal: boolean;
  /** How long the system had been running at that time, in seconds: a clock that was set since shows by it. */
  readonly uptime: number;
  /** The command line that runs JavaScript as the owner's does; empty where there is none. */
  readonly runtime: readonly string[];
  /** The file that the trace of the owner's end is written to, where there is one. */
  readonly trace?: string;
}

/** The line that the guard writes when it holds the lock. */
export const LOCKED = '{"locked":true}\n';

/** The last line of a shorter copy: a copy without it does not count. */
export const COMPLETE = '{"complete":true}\n';
