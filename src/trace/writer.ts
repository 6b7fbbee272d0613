// Watches the shutdowns of this thread, where an operator has asked for it: for
// the trace on disk (ATEXIT_TRACE) and for the report at the end (ATEXIT_REPORT).
// It reads only the diagnostics channels.

import { threadId, isMainThread } from "node:worker_threads";
import { builtin, now } from "../platform/node-builtins.ts";
import { printable } from "../platform/printable.ts";
import { placeOf } from "../registry/call-site.ts";
import type { TracedCleanup, TracedShutdown } from "../diagnostics/trace-types.ts";
import type { Exit } from "../registry/exit-reason.ts";
import type { SlowCleanups } from "../diagnostics/slow-cleanups.ts";
import { report, writeMessage } from "../diagnostics/stderr.ts";
import { isOn } from "../settings/environment.ts";
import { TraceFile } from "./trace-file.ts";
import { programName, traceFile } from "./trace-path.ts";
import { Lane, micros, type Queued, TRACE_VERSION, type TraceRecord } from "./trace-event.ts";
import { ShutdownHistories } from "./shutdown-history.ts";
import { forTerminal, inTerminal } from "./text-report.ts";
import { OpenHandles } from "./open-handles.ts";
import { environment, process } from "../platform/process.ts";

/** Takes records, as they happen. */
type Sink = (records: readonly TraceRecord[]) => void;

/** How many cleanups of a queue are in one record. */
const CHUNK = 100;

/** The length at which an error's text is cut, in characters. */
const LONGEST_ERROR = 2_000;

/** The wall-clock time at zero of the clock that never jumps, read once. */
const epoch = Date.now() - now();
const lane = new Lane(process.pid, isMainThread ? process.pid : threadId);
const threadName = isMainThread ? "main thread" : `worker ${threadId}`;

let isObserving = false;
let printsAll = false;
let handles: OpenHandles | undefined;
let describeError: (error: unknown) => string = String;

/**
 * Begins to watch, as the environment says.
 *
 * @param describe shows what a cleanup threw
 */
export function observe(describe: (error: unknown) => string): void {
  if (isObserving) return;
  isObserving = true;
  describeError = describe;
  const { ATEXIT_TRACE, ATEXIT_REPORT } = environment();
  printsAll = isOn(ATEXIT_REPORT);
  if (printsAll) handles = new OpenHandles();
  const observer = new Observer(ATEXIT_TRACE ? toDisk(ATEXIT_TRACE) : undefined);
  // A failure to observe must not become the program's error.
  const on = <T>(take: (of: T) => void) => {
    return (of: unknown) => {
      try {
        take(of as T);
      } catch (error) {
        report(`this cannot be observed: ${describeError(error)}`);
      }
    };
  };
  const { subscribe } = builtin("diagnostics_channel");
  const shutdownEnd = on<TracedShutdown>((shutdown) => observer.shutdownEnded(shutdown));
  subscribe(
    "tracing:atexit:shutdown:start",
    on<TracedShutdown>((shutdown) => observer.shutdownBegan(shutdown)),
  );
  subscribe("tracing:atexit:shutdown:end", shutdownEnd);
  subscribe("tracing:atexit:shutdown:asyncEnd", shutdownEnd);
  subscribe(
    "tracing:atexit:cleanup:start",
    on<TracedCleanup>((cleanup) => observer.cleanupBegan(cleanup)),
  );
  subscribe(
    "tracing:atexit:cleanup:end",
    on<TracedCleanup>((cleanup) => observer.cleanupEnded(cleanup, false)),
  );
  subscribe(
    "tracing:atexit:cleanup:asyncEnd",
    on<TracedCleanup>((cleanup) => observer.cleanupEnded(cleanup, true)),
  );
}

/** Returns a sink that writes to disk. A trace that cannot be written stops nothing, and is reported once. */
function toDisk(wanted: string): Sink {
  const file = new TraceFile(traceFile(wanted), false);
  let hasFailed = false;
  return (records) => {
    if (hasFailed) return;
    try {
      file.write(records);
    } catch (error) {
      hasFailed = true;
      report(printable(`ATEXIT_TRACE=${wanted} is ignored: ${(error as Error).message}`));
    }
  };
}

/** A cleanup of the shutdown that goes on, by its number. */
interface Known extends Queued {
  readonly id: string;
  isOver: boolean;
}

let shutdowns = 0;

class Observer {
  readonly #toDisk: Sink | undefined;
  #histories = new ShutdownHistories();
  #id = "";
  readonly #known = new Map<TracedCleanup, Known>();
  #count = 0;
  #running = 0;

  constructor(disk: Sink | undefined) {
    this.#toDisk = disk;
  }

  shutdownBegan(shutdown: TracedShutdown): void {
    const { exit, deadline, grace, queue } = shutdown;
    shutdowns += 1;
    this.#id = `${process.pid}.${threadId}.${shutdowns}.${micros(epoch)}`;
    this.#known.clear();
    this.#running = 0;
    this.#count = 0;
    const program = programName();
    const began = {
      atexit: TRACE_VERSION,
      program,
      node: process.version,
      exit: exitOf(exit),
      deadline: micros(deadline),
      grace,
      queued: queue.length,
    };
    this.#write([...lane.names(program, threadName), lane.at(epoch + now(), "b", this.#id, titleOf(exit), began)]);
    for (let first = 0; first < queue.length; first += CHUNK) {
      const cleanups = queue.slice(first, first + CHUNK).map((cleanup) => this.#number(cleanup, false));
      const args = cleanups.map(({ n, name, site, durable }) => ({ n, name, site, durable }));
      this.#write([lane.meta("atexit_queue", { shutdown: this.#id, cleanups: args })]);
    }
    // Cleanups that run() began before are waited for.
    for (const cleanup of queue) if (cleanup.startedAt !== undefined) this.#began(cleanup, cleanup.startedAt, true);
  }

  shutdownEnded({ outcome, exit }: TracedShutdown): void {
    if (outcome === undefined || this.#id === "") return;
    this.#write([lane.at(epoch + now(), "e", this.#id, titleOf(exit), { outcome })]);
    this.#id = "";
    this.#known.clear();
    if (printsAll) print(this.#histories);
    this.#histories = new ShutdownHistories();
  }

  cleanupBegan(cleanup: TracedCleanup): void {
    if (cleanup.shutdown === undefined || this.#id === "") return;
    this.#began(cleanup, epoch + now());
    handles?.enter(cleanup);
  }

  cleanupEnded(cleanup: TracedCleanup, hasReturned: boolean): void {
    handles?.leave(cleanup);
    const { outcome, error } = cleanup;
    const known = this.#known.get(cleanup);
    if (outcome === undefined || known === undefined || known.isOver) return;
    known.isOver = true;
    this.#running -= 1;
    const shutdown = this.#id;
    const { n, name, id } = known;
    const records: TraceRecord[] = [];
    if (outcome !== "ok" && outcome !== "failed" && hadTime(cleanup)) {
      const waitingOn = hasReturned
        ? (handles ?? new OpenHandles(false)).waitedFor(cleanup)
        : ["its own code, which did not return"];
      records.push(lane.at(epoch + now(), "n", id, "waiting on", { shutdown, n, waitingOn }));
    }
    const text = outcome === "failed" ? describe(error) : undefined;
    records.push(lane.at(epoch + now(), "e", id, name, { shutdown, n, outcome, error: text }));
    this.#write(records);
  }

  #began(cleanup: TracedCleanup, at: number, isEarlier = false): void {
    const outer = cleanup.within === undefined ? undefined : this.#known.get(cleanup.within);
    const known = this.#number(cleanup, isEarlier || this.#running > 0);
    const { n, name, site, durable, id } = known;
    const deadline = cleanup.deadline === undefined ? undefined : micros(cleanup.deadline);
    const args = { shutdown: this.#id, n, name, site, durable, deadline, within: outer?.n };
    this.#running += 1;
    this.#write([lane.at(at, "b", id, name, args)]);
  }

  /** Numbers a cleanup. Concurrent cleanups have lanes of their own; others share the shutdown's. */
  #number(cleanup: TracedCleanup, hasOwnLane: boolean): Known {
    let known = this.#known.get(cleanup);
    if (known !== undefined && !hasOwnLane) return known;
    const { name, site, durable } = cleanup;
    const n = known?.n ?? this.#count++;
    known = {
      n,
      name,
      ...(site === undefined ? {} : { site }),
      ...(durable === undefined ? {} : { durable }),
      id: hasOwnLane ? `${this.#id}.${n}` : this.#id,
      isOver: false,
    };
    this.#known.set(cleanup, known);
    return known;
  }

  #write(records: readonly TraceRecord[]): void {
    this.#toDisk?.(records);
    if (printsAll) for (const record of records) this.#histories.take(record);
  }
}

/** Reports whether a cleanup had time: one called after the grace period has waited for nothing yet. */
function hadTime({ startedAt = 0, deadline = Number.POSITIVE_INFINITY }: TracedCleanup): boolean {
  return deadline - startedAt >= 1;
}

/** Prints the cleanups of a shutdown that has passed its deadline, unless all are printed anyway. */
export function printOverdue(exit: Exit, slow: SlowCleanups, grace: number): void {
  if (printsAll) return;
  try {
    printSlow(exit, slow, grace);
  } catch (error) {
    report(`this shutdown cannot be shown: ${describeError(error)}`);
  }
}

function printSlow(exit: Exit, { remembered, others, beganAt }: SlowCleanups, grace: number): void {
  const histories = new ShutdownHistories();
  const id = "overdue";
  const at = (time: number) => epoch + time;
  const program = programName();
  const deadline = micros(at(beganAt + grace));
  const { length: queued } = remembered;
  const began = { atexit: TRACE_VERSION, program, node: process.version, exit: exitOf(exit), deadline, grace, queued };
  histories.take(lane.at(at(beganAt), "b", id, titleOf(exit), began));
  remembered.forEach(({ cleanup, startedAt, endedAt, outcome }, n) => {
    const { title: name } = cleanup;
    const site = placeOf(cleanup.site);
    histories.take(lane.at(at(startedAt), "b", id, name, { shutdown: id, n, name, site }));
    histories.take(lane.at(at(endedAt), "e", id, name, { shutdown: id, n, outcome }));
  });
  histories.take(lane.at(at(now()), "e", id, titleOf(exit), { outcome: "given up" }));
  print(histories, others);
  const open = new OpenHandles(false).all().map((each) => `    ${printable(each)}\n`);
  writeMessage(`  still open (ATEXIT_REPORT=1 tells where each was opened, and in which cleanup):\n${open.join("")}`);
}

function print(histories: ShutdownHistories, others = 0): void {
  for (const history of histories.all()) {
    history.leftOut.count += others;
    writeMessage(
      inTerminal(history, forTerminal(environment(), builtin("tty").isatty(2), columns()), { isBrief: true }),
    );
  }
}

/** Returns the terminal's width. process.stderr is opened when it is read, so only for a terminal. */
function columns(): number | undefined {
  if (!builtin("tty").isatty(2)) return undefined;
  return process.stderr.columns;
}

function exitOf({ kind, code, signal, error }: Exit): object {
  const isError = kind === "uncaughtException" || kind === "unhandledRejection";
  return { kind, code, signal, error: isError ? describe(error) : undefined };
}

function titleOf({ kind, signal }: Exit): string {
  return `shutdown: ${signal ?? kind}`;
}

function describe(error: unknown): string {
  return describeError(error).slice(0, LONGEST_ERROR);
}
