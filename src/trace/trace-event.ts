// The lines of a trace, in the Trace Event Format that Perfetto and
// chrome://tracing open directly: a JSON array, one record a line, whose end may
// be missing. Times are microseconds since 1970.
// Source: the "Trace Event Format" document of the Chromium project.
//
//   b, e   a shutdown, a cleanup, a replayed recipe: its beginning and its end
//   n      the handles that a cleanup which was given up was waiting on
//   M      the names of processes and threads; and the queue

import type { Outcome } from "../registry/outcome.ts";
import type { ExitKind } from "../registry/exit-reason.ts";

/** The version of the format; it rises when older versions could no longer read a trace. */
export const TRACE_VERSION = 1;

export interface ShutdownBegan {
  readonly atexit: typeof TRACE_VERSION;
  readonly program: string;
  readonly node: string;
  readonly exit: { readonly kind: ExitKind; readonly code: number; readonly signal?: string; readonly error?: string };
  /** Microseconds since 1970. */
  readonly deadline: number;
  /** Milliseconds. */
  readonly grace: number;
  /** The number of queued cleanups. */
  readonly queued: number;
}

export interface ShutdownEnded {
  readonly outcome: "ok" | "failed" | "given up";
}

/** A cleanup that is queued; `n` is its number in this shutdown, in the order in which cleanups are due. */
export interface Queued {
  readonly n: number;
  readonly name: string;
  readonly site?: string;
  readonly durable?: string;
}

export interface CleanupBegan extends Queued {
  readonly shutdown: string;
  /** Microseconds since 1970. */
  readonly deadline?: number;
  /** The number of the cleanup that runs it. */
  readonly within?: number;
}

export interface CleanupEnded {
  readonly shutdown: string;
  readonly n: number;
  readonly outcome: Outcome;
  readonly error?: string;
}

export interface WaitingOn {
  readonly shutdown: string;
  readonly n: number;
  readonly waitingOn: readonly string[];
}

/** A recipe, carried out by another process than its owner. */
export interface ReplayBegan {
  readonly replay: string;
  readonly by: "guard" | "next start";
  readonly durable?: string;
  readonly program: string;
}

export interface ReplayEnded {
  readonly replay: string;
  readonly outcome: string;
  readonly why?: string;
}

export interface TraceRecord {
  readonly ph: "b" | "e" | "n" | "M";
  readonly cat?: "atexit";
  readonly id?: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds since 1970. */
  readonly ts: number;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Makes the records of a lane: of a process's thread, or of the process that carries on for it. */
export class Lane {
  readonly pid: number;
  readonly tid: number;

  constructor(pid: number, tid: number) {
    this.pid = pid;
    this.tid = tid;
  }

  names(processName: string, threadName: string): TraceRecord[] {
    return [this.meta("process_name", { name: processName }), this.meta("thread_name", { name: threadName })];
  }

  meta(name: string, args: object): TraceRecord {
    const { pid, tid } = this;
    return { ph: "M", name, pid, tid, ts: 0, args: args as TraceRecord["args"] };
  }

  /** @param at milliseconds since 1970 */
  at(at: number, ph: "b" | "e" | "n", id: string, name: string, args: object): TraceRecord {
    const { pid, tid } = this;
    return { ph, cat: "atexit", id, name, pid, tid, ts: micros(at), args: args as TraceRecord["args"] };
  }
}

export function micros(milliseconds: number): number {
  return Math.round(milliseconds * 1_000);
}
