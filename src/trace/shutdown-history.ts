// Builds histories from a trace: for each shutdown its cleanups, with their
// outcomes, also where another process carried on. Memory is bounded: of a hundred
// thousand cleanups the shortest are only counted.

import type { Outcome } from "../registry/outcome.ts";
import type {
  CleanupBegan,
  CleanupEnded,
  Queued,
  ReplayBegan,
  ReplayEnded,
  ShutdownBegan,
  ShutdownEnded,
  TraceRecord,
  WaitingOn,
} from "./trace-event.ts";

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
  readonly by: "guard" | "next start";
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
  readonly exit: ShutdownBegan["exit"] | undefined;
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
const WHOLE_HISTORIES = 50;
const ROWS_OF_OTHERS = 20;

/** The fields that a trace may lack without being refused. */
interface Lane {
  readonly process?: string;
  readonly thread?: string;
}

export class ShutdownHistories {
  /** The number of lines that made no sense. */
  unread = 0;
  readonly #limit: number;
  readonly #builders: HistoryBuilder[] = [];
  readonly #byId = new Map<string, HistoryBuilder>();
  readonly #ofProcess = new Map<number, HistoryBuilder>();
  readonly #replays = new Map<
    string,
    { readonly builder: HistoryBuilder; readonly row: Row; readonly replay: Replay }
  >();
  readonly #lanes = new Map<string, Lane>();

  /** @param limit how many rows of one shutdown are kept */
  constructor(limit = ROWS) {
    this.#limit = limit;
  }

  take(record: TraceRecord): void {
    const { ph, name, args, pid, tid, id } = record;
    if (ph === "M") this.#takeMeta(record);
    else if (ph === "b" && args["atexit"] !== undefined) this.#begin(record);
    else if (args["replay"] !== undefined) this.#takeReplay(record);
    else if (args["n"] !== undefined) this.#byId.get(String(args["shutdown"]))?.take(record);
    else if (ph === "e" && id !== undefined && this.#byId.has(id)) this.#byId.get(id)?.end(record);
    else if (typeof name !== "string" || typeof pid !== "number" || typeof tid !== "number") this.unread += 1;
  }

  all(): ShutdownHistory[] {
    return this.#builders.map((builder) => builder.build());
  }

  #takeMeta({ name, args, pid, tid }: TraceRecord): void {
    if (name === "atexit_queue") {
      this.#byId.get(String(args["shutdown"]))?.queue(args["cleanups"] as readonly Queued[]);
      return;
    }
    const text = String(args["name"]);
    const lane = `${pid}.${tid}`;
    if (name === "process_name") this.#lanes.set(lane, { ...this.#lanes.get(lane), process: text });
    if (name === "thread_name") this.#lanes.set(lane, { ...this.#lanes.get(lane), thread: text });
  }

  #begin(record: TraceRecord): void {
    const { id = "", pid, tid, ts, args } = record;
    const thread = this.#lanes.get(`${pid}.${tid}`)?.thread ?? "main thread";
    const builder = new HistoryBuilder(this.#limit, pid, thread, ts / 1_000, args);
    this.#byId.set(id, builder);
    this.#ofProcess.set(pid, builder);
    this.#add(builder);
  }

  #add(builder: HistoryBuilder): void {
    this.#builders.push(builder);
    this.#builders.at(-1 - WHOLE_HISTORIES)?.shorten(ROWS_OF_OTHERS);
  }

  #takeReplay({ ph, name, pid, tid, ts, args }: TraceRecord): void {
    const { replay: id, by, durable, program, outcome, why } = args as unknown as ReplayBegan & ReplayEnded;
    const at = ts / 1_000;
    if (ph === "e") {
      const begun = this.#replays.get(id);
      if (begun === undefined) return;
      this.#replays.delete(id);
      Object.assign(begun.replay, { endedAt: at, outcome, ...(why === undefined ? {} : { why }) });
      begun.row.outcome = outcomeOf(begun.replay);
      begun.builder.sawUntil(by === "guard" ? at : undefined);
      return;
    }
    let builder = this.#ofProcess.get(pid);
    if (builder === undefined) {
      // The process was killed without any shutdown: its history begins with the replay.
      builder = new HistoryBuilder(this.#limit, pid, "main thread", at, { program });
      this.#ofProcess.set(pid, builder);
      this.#add(builder);
    }
    const replay: Replay = { by, pid: tid, startedAt: at };
    const row = builder.replayed(name, durable, replay);
    this.#replays.set(id, { builder, row, replay });
  }
}

function outcomeOf({ by, outcome }: Replay): RowOutcome {
  if (outcome !== "done" && outcome !== "gone") return "not done";
  return by === "guard" ? "done by the guard" : "done at the next start";
}

/** A history that is being built. */
class HistoryBuilder {
  readonly #limit: number;
  readonly #head: Pick<
    ShutdownHistory,
    "program" | "node" | "pid" | "thread" | "exit" | "beganAt" | "deadline" | "grace"
  >;
  #endedAt: number | undefined;
  #lastAt: number;
  #outcome: ShutdownEnded["outcome"] | undefined;
  /** The cleanups that have begun and not ended, by number. */
  readonly #open = new Map<number, Row>();
  #rows: Row[] = [];
  /** The end of the queue: the cleanups that are due last are those that never run. */
  readonly #queue = new Map<number, Queued>();
  #queued = 0;
  #begun = 0;
  #others = { count: 0, total: 0 };

  constructor(limit: number, pid: number, thread: string, beganAt: number, began: Partial<ShutdownBegan>) {
    const { program = "node", node, exit, deadline, grace, queued = 0 } = began;
    this.#limit = limit;
    this.#lastAt = beganAt;
    this.#queued = queued;
    const at = deadline === undefined ? undefined : deadline / 1_000;
    this.#head = { program, node, pid, thread, exit, beganAt, deadline: at, grace };
  }

  queue(cleanups: readonly Queued[]): void {
    for (const queued of cleanups) {
      this.#queue.set(queued.n, queued);
      if (this.#queue.size > this.#limit) this.#queue.delete(this.#queue.keys().next().value as number);
    }
  }

  take({ ph, ts, args }: TraceRecord): void {
    const at = ts / 1_000;
    this.#lastAt = Math.max(this.#lastAt, at);
    if (ph === "b") this.#begin(args as unknown as CleanupBegan, at);
    else if (ph === "e") this.#end(args as unknown as CleanupEnded, at);
    else if (ph === "n") {
      const { n, waitingOn } = args as unknown as WaitingOn;
      const row = this.#open.get(n);
      if (row !== undefined) row.waitingOn = waitingOn;
    }
  }

  end({ ts, args }: TraceRecord): void {
    this.#endedAt = ts / 1_000;
    this.sawUntil(this.#endedAt);
    this.#outcome = (args as unknown as ShutdownEnded).outcome;
  }

  sawUntil(at: number | undefined): void {
    if (at !== undefined) this.#lastAt = Math.max(this.#lastAt, at);
  }

  /** Adds a recipe that another process has begun: to the row of its cleanup, or to a new row. */
  replayed(name: string, durable: string | undefined, replay: Replay): Row {
    const isIt = (row: Row) => durable !== undefined && row.durable === durable;
    let row = [...this.#open.values()].find(isIt) ?? this.#rows.findLast(isIt);
    if (row === undefined) {
      const queued = [...this.#queue.values()].find((one) => durable !== undefined && one.durable === durable);
      if (queued !== undefined) {
        this.#queue.delete(queued.n);
        this.#begun += 1;
      }
      row = { ...rowOf(queued ?? { name, durable }), outcome: "left to the guard" };
      this.#add(row);
    }
    row.replay = replay;
    return row;
  }

  #begin(began: CleanupBegan, startedAt: number): void {
    const { n, within } = began;
    this.#queue.delete(n);
    if (n < this.#queued) this.#begun += 1;
    const row: Row = { ...rowOf(began), startedAt, ...(within === undefined ? {} : { within }), outcome: "cut off" };
    this.#open.set(n, row);
  }

  #end({ n, outcome, error }: CleanupEnded, endedAt: number): void {
    const row = this.#open.get(n);
    if (row === undefined) return;
    this.#open.delete(n);
    row.endedAt = endedAt;
    row.outcome = outcome;
    if (error !== undefined) row.error = error;
    this.#add(row);
  }

  #add(row: Row): void {
    this.#rows.push(row);
    if (this.#rows.length >= 2 * this.#limit) this.shorten(this.#limit);
  }

  /** Keeps the rows that matter most: those that did not end well, then the longest. */
  shorten(limit: number): void {
    if (this.#rows.length <= limit) return;
    const byWeight = [...this.#rows].sort((a, b) => weightOf(b) - weightOf(a));
    for (const row of byWeight.slice(limit)) {
      this.#others.count += 1;
      this.#others.total += lengthOf(row);
    }
    const kept = new Set(byWeight.slice(0, limit));
    this.#rows = this.#rows.filter((row) => kept.has(row));
  }

  build(): ShutdownHistory {
    this.shorten(this.#limit);
    const isCutOff = this.#outcome === undefined;
    const rows = [...this.#rows, ...this.#open.values()];
    rows.sort((a, b) => (a.startedAt ?? a.replay?.startedAt ?? 0) - (b.startedAt ?? b.replay?.startedAt ?? 0));
    // In a shutdown that came to its end, cleanups that did not run were cancelled.
    const neverRan = isCutOff || this.#outcome === "given up" ? [...this.#queue.values()] : [];
    rows.push(...neverRan.map((queued): Row => ({ ...rowOf(queued), outcome: "never ran" })));
    const unlisted = isCutOff ? Math.max(0, this.#queued - this.#begun - neverRan.length) : 0;
    return {
      ...this.#head,
      endedAt: this.#endedAt ?? this.#lastAt,
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
