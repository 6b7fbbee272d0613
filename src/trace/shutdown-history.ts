// Builds histories from a trace: for each shutdown its cleanups, with their
// outcomes, also where another process carried on. Memory is bounded, and each
// record takes the same time: of a hundred thousand cleanups the shortest are only
// counted, and of a hundred thousand shutdowns the first.

import type { Outcome } from "../registry/outcome.ts";
import type { Queued, TraceRecord } from "./trace-event.ts";
import {
  type CleanupBegun,
  type CleanupOver,
  type ReplayBegun,
  type ReplayedBy,
  type ReplayOver,
  type ShutdownBegun,
  type Step,
  stepOf,
  type ToldExit,
} from "./trace-step.ts";

/** The outcome of a cleanup, in whichever process it was carried out. */
export type RowOutcome = Outcome | "cut off" | "never ran" | "done by the guard" | "not done";

/** A cleanup of a shutdown. Times are milliseconds since 1970. */
export interface Row {
  /** Its number in this shutdown; `undefined` of a recipe that the shutdown did not know. */
  readonly n?: number;
  readonly name: string;
  readonly site?: string;
  /** The journal's name and the number there, of a durable cleanup. */
  readonly durable?: string;
  /** The number of the cleanup that ran it, where it was not the shutdown itself. */
  readonly within?: number;
  readonly startedAt?: number;
  endedAt?: number;
  outcome: RowOutcome;
  error?: string;
  waitingOn?: readonly string[];
  /** The replay, where another process carried the cleanup out. */
  replay?: Replay;
}

export interface Replay {
  readonly by: ReplayedBy;
  /** The process that did it. */
  readonly pid: number;
  readonly startedAt: number;
  endedAt?: number;
  /** The outcome as in `atexit log`. */
  outcome?: string;
  why?: string;
}

/** One shutdown. */
export interface ShutdownHistory {
  readonly program: string;
  readonly node: string | undefined;
  readonly pid: number;
  /** `main thread`, or which worker. */
  readonly thread: string;
  /** The way out; `undefined` where the process was killed before any cleanup. */
  readonly exit: ToldExit | undefined;
  readonly beganAt: number;
  readonly endedAt: number;
  readonly deadline: number | undefined;
  /** Milliseconds. */
  readonly grace: number | undefined;
  /** The outcome. `cut off`: the trace has no end: the process was killed, or goes on. */
  readonly outcome: "ok" | "failed" | "given up" | "cut off";
  /** The cleanups in the order in which they began; then those that never did. */
  readonly rows: readonly Row[];
  /** The cleanups that are not among the rows. */
  readonly leftOut: {
    /** Cleanups that ended well, and sooner than those in the rows. */
    count: number;
    /** How long they took together, in milliseconds. */
    total: number;
    /** Cleanups that never ran. */
    neverRan: number;
  };
}

/** How many rows of one shutdown are kept. */
const ROWS = 1_000;

/** How many shutdowns keep all rows; those before them keep only the longest. */
export const WHOLE_HISTORIES = 50;
export const ROWS_OF_OTHERS = 20;

/** How many shutdowns are kept at least; and as many lanes, and replays that have not ended. */
export const MOST_HISTORIES = 10_000;

/** How many cleanups may go on at once, for each row that is kept; others are only counted. */
const OPEN_PER_ROW = 10;

export class ShutdownHistories {
  /** The number of records that made no sense. */
  unread = 0;
  /** The number of shutdowns that are not kept, since so many came after them. */
  forgotten = 0;
  readonly #limit: number;
  readonly #builders = new Set<HistoryBuilder>();
  /** Those of #builders that have all rows. */
  readonly #whole: HistoryBuilder[] = [];
  readonly #byId = new Map<string, HistoryBuilder>();
  readonly #ofProcess = new Map<number, HistoryBuilder>();
  readonly #replays = new Map<
    string,
    { readonly builder: HistoryBuilder; readonly row: Row; readonly replay: Replay }
  >();
  /** The name of each lane's thread. */
  readonly #threads = new Map<string, string>();
  /** The time of the last record that had one: a record without a time is taken to be of then. */
  #lastAt = 0;

  /** @param limit how many rows of one shutdown are kept */
  constructor(limit = ROWS) {
    this.#limit = limit;
  }

  /** @param record one of a file may be anything */
  take(record: TraceRecord | Readonly<Record<string, unknown>>): void {
    const step = stepOf(record as Readonly<Record<string, unknown>>);
    if (step === "something else") return;
    if (step === undefined || !this.#takeStep(step)) this.unread += 1;
  }

  all(): ShutdownHistory[] {
    return [...this.#builders].map((builder) => builder.build());
  }

  /** @returns whether it makes sense */
  #takeStep(step: Step): boolean {
    if ("at" in step && step.at !== undefined) this.#lastAt = step.at;
    const at = this.#lastAt;
    switch (step.tells) {
      case "lane named":
        if (step.thread !== undefined) put(this.#threads, step.lane, step.thread);
        return step.thread !== undefined;
      case "queue":
        this.#byId.get(step.shutdown)?.queue(step.cleanups);
        return true;
      case "shutdown begun":
        this.#begin(step, at);
        return true;
      case "shutdown over":
        return this.#byId.get(step.id)?.end(step.outcome, at) ?? true;
      case "cleanup begun":
      case "cleanup over":
      case "cleanup waits":
        return this.#byId.get(step.shutdown)?.take(step, at) ?? true;
      case "replay begun":
        return this.#beginReplay(step, at);
      case "replay over":
        return this.#endReplay(step, at);
    }
  }

  #begin(begun: ShutdownBegun, at: number): void {
    const thread = this.#threads.get(begun.lane) ?? "main thread";
    const builder = new HistoryBuilder(this.#limit, begun.pid, thread, at, begun);
    put(this.#byId, begun.id, builder);
    put(this.#ofProcess, begun.pid, builder);
    this.#add(builder);
  }

  #add(builder: HistoryBuilder): void {
    this.#builders.add(builder);
    this.#whole.push(builder);
    if (this.#whole.length > WHOLE_HISTORIES) this.#whole.shift()?.shorten(ROWS_OF_OTHERS);
    const before = this.#builders.size;
    trim(this.#builders, MOST_HISTORIES);
    this.forgotten += before - this.#builders.size;
  }

  #beginReplay({ id, by, durable, program, name, pid, tid }: ReplayBegun, at: number): boolean {
    if (by === undefined) return false;
    let builder = this.#ofProcess.get(pid);
    if (builder === undefined) {
      // The process was killed without any shutdown: its history begins with the replay.
      builder = new HistoryBuilder(this.#limit, pid, "main thread", at, { program });
      put(this.#ofProcess, pid, builder);
      this.#add(builder);
    }
    const replay: Replay = { by, pid: tid, startedAt: at };
    const row = builder.replayed(name, durable, replay);
    put(this.#replays, id, { builder, row, replay });
    return true;
  }

  #endReplay({ id, outcome, why }: ReplayOver, at: number): boolean {
    const begun = this.#replays.get(id);
    if (begun === undefined) return true;
    if (outcome === undefined) return false;
    this.#replays.delete(id);
    const { replay, row, builder } = begun;
    Object.assign(replay, { endedAt: Math.max(at, replay.startedAt), outcome, ...(why === undefined ? {} : { why }) });
    row.outcome = outcomeOf(replay);
    builder.sawUntil(replay.by === "guard" ? at : undefined);
    return true;
  }
}

/** Puts a value into a map, which forgets its oldest. */
function put<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.set(key, value);
  trim(map, MOST_HISTORIES);
}

/**
 * Deletes the oldest where there are twice as many as are to be kept: to find the
 * oldest takes as long as there are gaps before it.
 */
function trim<K>(
  of: Map<K, unknown> | Set<K>,
  kept: number,
  remove: (key: K) => void = (key) => void of.delete(key),
): void {
  if (of.size < 2 * kept) return;
  let over = of.size - kept;
  for (const key of of.keys()) {
    if (over === 0) return;
    remove(key);
    over -= 1;
  }
}

function outcomeOf({ by, outcome }: Replay): RowOutcome {
  if (outcome !== "done" && outcome !== "gone") return "not done";
  return by === "guard" ? "done by the guard" : "done at the next start";
}

/** A history that is being built. */
class HistoryBuilder {
  #limit: number;
  readonly #head: Pick<
    ShutdownHistory,
    "program" | "node" | "pid" | "thread" | "exit" | "beganAt" | "deadline" | "grace"
  >;
  #endedAt: number | undefined;
  #lastAt: number;
  #outcome: Exclude<ShutdownHistory["outcome"], "cut off"> | undefined;
  /** The cleanups that have begun and not ended, by number. */
  readonly #open = new Map<number, Row>();
  #rows: Row[] = [];
  /** The end of the queue: the cleanups that are due last are those that never run. */
  readonly #queue = new Map<number, Queued>();
  /** The rows of durable cleanups, and the numbers of those that are queued, by what another process calls them. */
  readonly #durableRows = new Map<string, Row>();
  readonly #durableQueued = new Map<string, number>();
  readonly #queued: number;
  #begun = 0;
  #others = { count: 0, total: 0 };

  constructor(limit: number, pid: number, thread: string, beganAt: number, begun: Partial<ShutdownBegun>) {
    const { program = "node", node, exit, deadline, grace, queued = 0 } = begun;
    this.#limit = limit;
    this.#lastAt = beganAt;
    this.#queued = queued;
    this.#head = { program, node, pid, thread, exit, beganAt, deadline, grace };
  }

  queue(cleanups: readonly Queued[]): void {
    for (const queued of cleanups) {
      this.#queue.set(queued.n, queued);
      if (queued.durable !== undefined) this.#durableQueued.set(queued.durable, queued.n);
      trim(this.#queue, this.#limit, this.#unqueue);
    }
  }

  readonly #unqueue = (n: number): void => {
    const queued = this.#queue.get(n);
    this.#queue.delete(n);
    if (queued?.durable !== undefined) this.#durableQueued.delete(queued.durable);
  };

  /** @returns whether it makes sense */
  take(step: Extract<Step, { tells: `cleanup ${string}` }>, at: number): boolean {
    this.sawUntil(at);
    if (step.tells === "cleanup begun") this.#begin(step, at);
    else if (step.tells === "cleanup over") return this.#end(step, at);
    else {
      const row = this.#open.get(step.n);
      if (row !== undefined) row.waitingOn = step.waitingOn;
    }
    return true;
  }

  /** @returns whether it makes sense */
  end(outcome: Exclude<ShutdownHistory["outcome"], "cut off"> | undefined, at: number): boolean {
    this.sawUntil(at);
    if (outcome === undefined) return false;
    this.#endedAt = at;
    this.#outcome = outcome;
    return true;
  }

  sawUntil(at: number | undefined): void {
    if (at !== undefined) this.#lastAt = Math.max(this.#lastAt, at);
  }

  /** Adds a recipe that another process has begun: to the row of its cleanup, or to a new row. */
  replayed(name: string, durable: string | undefined, replay: Replay): Row {
    let row = durable === undefined ? undefined : this.#durableRows.get(durable);
    if (row === undefined) {
      const queued = this.#queuedAs(durable);
      if (queued !== undefined) {
        this.#unqueue(queued.n);
        this.#begun += 1;
      }
      row = { ...rowOf(queued ?? { name, durable }), outcome: "left to the guard" };
      this.#keepDurable(row);
      this.#add(row);
    }
    row.replay = replay;
    return row;
  }

  #queuedAs(durable: string | undefined): Queued | undefined {
    const n = durable === undefined ? undefined : this.#durableQueued.get(durable);
    return n === undefined ? undefined : this.#queue.get(n);
  }

  #keepDurable(row: Row): void {
    if (row.durable !== undefined) this.#durableRows.set(row.durable, row);
  }

  #begin({ cleanup, within }: CleanupBegun, startedAt: number): void {
    const { n } = cleanup;
    this.#unqueue(n);
    if (n < this.#queued) this.#begun += 1;
    const row: Row = { ...rowOf(cleanup), startedAt, ...(within === undefined ? {} : { within }), outcome: "cut off" };
    const before = this.#open.get(n);
    if (before === undefined && this.#open.size >= OPEN_PER_ROW * this.#limit) {
      this.#others.count += 1;
      return;
    }
    if (before !== undefined) this.#leaveOut(before);
    this.#open.set(n, row);
    this.#keepDurable(row);
  }

  #end({ n, outcome, error }: CleanupOver, endedAt: number): boolean {
    const row = this.#open.get(n);
    if (row === undefined) return true;
    if (outcome === undefined) return false;
    this.#open.delete(n);
    row.endedAt = Math.max(endedAt, row.startedAt ?? endedAt);
    row.outcome = outcome;
    if (error !== undefined) row.error = error;
    this.#add(row);
    return true;
  }

  #add(row: Row): void {
    this.#rows.push(row);
    if (this.#rows.length >= 2 * this.#limit) this.#shortenRows();
  }

  #leaveOut(row: Row): void {
    this.#others.count += 1;
    this.#others.total += lengthOf(row);
    if (row.durable !== undefined && this.#durableRows.get(row.durable) === row) this.#durableRows.delete(row.durable);
  }

  /** Keeps no more rows than so many from now on. */
  shorten(limit: number): void {
    this.#limit = Math.min(this.#limit, limit);
    this.#shortenRows();
    trim(this.#queue, this.#limit, this.#unqueue);
    trim(this.#open, OPEN_PER_ROW * this.#limit, (n) => {
      this.#leaveOut(this.#open.get(n) as Row);
      this.#open.delete(n);
    });
  }

  /** Keeps the rows that matter most: those that did not end well, then the longest. */
  #shortenRows(): void {
    const limit = this.#limit;
    if (this.#rows.length <= limit) return;
    const byWeight = [...this.#rows].sort((a, b) => weightOf(b) - weightOf(a));
    for (const row of byWeight.slice(limit)) this.#leaveOut(row);
    const kept = new Set(byWeight.slice(0, limit));
    this.#rows = this.#rows.filter((row) => kept.has(row));
  }

  build(): ShutdownHistory {
    this.#shortenRows();
    const isCutOff = this.#outcome === undefined;
    const rows = [...this.#rows, ...this.#open.values()];
    rows.sort((a, b) => (a.startedAt ?? a.replay?.startedAt ?? 0) - (b.startedAt ?? b.replay?.startedAt ?? 0));
    // In a shutdown that came to its end, cleanups that did not run were cancelled.
    const neverRan = isCutOff || this.#outcome === "given up" ? [...this.#queue.values()].slice(-this.#limit) : [];
    for (const queued of neverRan) rows.push({ ...rowOf(queued), outcome: "never ran" });
    const unlisted = isCutOff ? Math.max(0, this.#queued - this.#begun - neverRan.length) : 0;
    return {
      ...this.#head,
      endedAt: Math.max(this.#endedAt ?? this.#lastAt, this.#head.beganAt),
      outcome: this.#outcome ?? "cut off",
      rows,
      leftOut: { ...this.#others, neverRan: unlisted },
    };
  }
}

function rowOf(of: {
  readonly n?: number;
  readonly name: string;
  readonly site?: string | undefined;
  readonly durable?: string | undefined;
}): Pick<Row, "n" | "name" | "site" | "durable"> {
  const { n, name, site, durable } = of;
  return {
    ...(n === undefined ? {} : { n }),
    name,
    ...(site === undefined ? {} : { site }),
    ...(durable === undefined ? {} : { durable }),
  };
}

function weightOf(row: Row): number {
  return row.outcome === "ok" ? lengthOf(row) : Number.MAX_VALUE;
}

/** Returns how long a cleanup took in its own process, in milliseconds. */
export function lengthOf({ startedAt, endedAt }: Row): number {
  return startedAt === undefined || endedAt === undefined ? 0 : endedAt - startedAt;
}
