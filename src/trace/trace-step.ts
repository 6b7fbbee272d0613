// What a record of a trace tells. A trace is a file, and anybody may have written
// it: a field that makes no sense is as if it were not there, and a record that
// lacks what it tells of makes none.

import type { Outcome } from "../registry/outcome.ts";
import type {
  CleanupBegan,
  CleanupEnded,
  Queued,
  ReplayBegan,
  ReplayEnded,
  ShutdownBegan,
  ShutdownEnded,
  WaitingOn,
} from "./trace-event.ts";

/** The names of a lane: of a process and its thread. */
interface LaneNamed {
  readonly tells: "lane named";
  readonly lane: string;
  readonly thread: string | undefined;
}

interface QueueTold {
  readonly tells: "queue";
  readonly shutdown: string;
  readonly cleanups: readonly Queued[];
}

/** Times are milliseconds since 1970; `undefined` where the record has none that makes sense. */
interface Timed {
  readonly at: number | undefined;
}

export interface ShutdownBegun extends Timed {
  readonly tells: "shutdown begun";
  readonly id: string;
  readonly pid: number;
  readonly lane: string;
  readonly program: string | undefined;
  readonly node: string | undefined;
  readonly exit: ToldExit | undefined;
  readonly deadline: number | undefined;
  /** Milliseconds. */
  readonly grace: number | undefined;
  readonly queued: number;
}

/** The way out. A newer version may have written it: its kind can be any text. */
export interface ToldExit {
  readonly kind: string;
  readonly code?: number;
  readonly signal?: string;
  readonly error?: string;
}

interface ShutdownOver extends Timed {
  readonly tells: "shutdown over";
  readonly id: string;
  readonly outcome: "ok" | "failed" | "given up" | undefined;
}

export interface CleanupBegun extends Timed {
  readonly tells: "cleanup begun";
  readonly shutdown: string;
  readonly cleanup: Queued;
  readonly within: number | undefined;
}

export interface CleanupOver extends Timed {
  readonly tells: "cleanup over";
  readonly shutdown: string;
  readonly n: number;
  readonly outcome: Outcome | undefined;
  readonly error: string | undefined;
}

interface CleanupWaits extends Timed {
  readonly tells: "cleanup waits";
  readonly shutdown: string;
  readonly n: number;
  readonly waitingOn: readonly string[];
}

export interface ReplayBegun extends Timed {
  readonly tells: "replay begun";
  readonly id: string;
  readonly by: ReplayedBy | undefined;
  /** The process whose recipe it is, and the one that carries it out. */
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly durable: string | undefined;
  readonly program: string | undefined;
}

export interface ReplayOver extends Timed {
  readonly tells: "replay over";
  readonly id: string;
  readonly by: ReplayedBy | undefined;
  readonly outcome: string | undefined;
  readonly why: string | undefined;
}

export type ReplayedBy = ReplayBegan["by"];

export type Step =
  | LaneNamed
  | QueueTold
  | ShutdownBegun
  | ShutdownOver
  | CleanupBegun
  | CleanupOver
  | CleanupWaits
  | ReplayBegun
  | ReplayOver;

type Fields = Readonly<Record<string, unknown>>;

/** The fields of a type, as a file has them: of any type, or not there. */
type Told<T> = { readonly [K in keyof T]?: unknown };

/**
 * Returns what a record tells; `"something else"` of a record of another program,
 * and `undefined` where it makes no sense.
 */
export function stepOf(record: Fields): Step | "something else" | undefined {
  const { ph, name, pid, tid, id, args } = record;
  if (!isObject(args)) return undefined;
  if (ph === "M") return metaOf(record, args);
  const at = timeOf(record["ts"]);
  if (ph === "b" && args["atexit"] !== undefined) return shutdownBegunOf(record, args, at);
  if (args["replay"] !== undefined) return replayOf(record, args, at);
  if (args["n"] !== undefined) return cleanupOf(record, args, at);
  if (ph === "e" && typeof id === "string") {
    return { tells: "shutdown over", id, at, outcome: oneOf(SHUTDOWN_OUTCOMES, (args as Told<ShutdownEnded>).outcome) };
  }
  return typeof name === "string" && isCount(pid) && isCount(tid) ? "something else" : undefined;
}

function metaOf({ name, pid, tid }: Fields, args: Fields): Step | "something else" | undefined {
  if (name === "atexit_queue") {
    const { shutdown, cleanups } = args;
    if (typeof shutdown !== "string" || !Array.isArray(cleanups)) return undefined;
    return { tells: "queue", shutdown, cleanups: cleanups.flatMap((each) => queuedOf(each) ?? []) };
  }
  if (name !== "thread_name") return "something else";
  return { tells: "lane named", lane: laneOf(pid, tid), thread: text(args["name"], NAME) };
}

function shutdownBegunOf({ id, pid, tid }: Fields, args: Fields, at: number | undefined): ShutdownBegun | undefined {
  if (typeof id !== "string" || !isCount(pid)) return undefined;
  const { program, node, exit, deadline, grace, queued } = args as Told<ShutdownBegan>;
  return {
    tells: "shutdown begun",
    id,
    pid,
    lane: laneOf(pid, tid),
    at,
    program: text(program, NAME),
    node: text(node, NAME),
    exit: exitOf(exit),
    deadline: timeOf(deadline),
    grace: isNumber(grace) && grace <= LATEST ? grace : undefined,
    queued: isCount(queued) ? queued : 0,
  };
}

function exitOf(exit: unknown): ToldExit | undefined {
  if (!isObject(exit)) return undefined;
  const { kind: told, code, signal, error } = exit as Told<ShutdownBegan["exit"]>;
  const kind = text(told, NAME);
  if (kind === undefined) return undefined;
  return {
    kind,
    ...(isCount(code) ? { code } : {}),
    ...given("signal", text(signal, NAME)),
    ...given("error", text(error, ERROR)),
  };
}

function cleanupOf({ ph }: Fields, args: Fields, at: number | undefined): Step | undefined {
  const { shutdown, n, outcome, error, waitingOn, within } = args as Told<CleanupBegan & CleanupEnded & WaitingOn>;
  if (typeof shutdown !== "string" || !isCount(n)) return undefined;
  if (ph === "b") {
    const cleanup = queuedOf(args) as Queued;
    return { tells: "cleanup begun", shutdown, at, cleanup, within: isCount(within) ? within : undefined };
  }
  if (ph === "e") {
    const ended = { outcome: oneOf(OUTCOMES, outcome), error: text(error, ERROR) };
    return { tells: "cleanup over", shutdown, at, n, ...ended };
  }
  if (ph !== "n" || !Array.isArray(waitingOn)) return undefined;
  const named = waitingOn.slice(0, MOST_WAITED_FOR).flatMap((each) => text(each, NAME) ?? []);
  return { tells: "cleanup waits", shutdown, at, n, waitingOn: named };
}

function replayOf({ ph, name, pid, tid }: Fields, args: Fields, at: number | undefined): Step | undefined {
  const { replay: id, durable, program, outcome, why, by: whom } = args as Told<ReplayBegan & ReplayEnded>;
  if (typeof id !== "string") return undefined;
  const by = oneOf(REPLAYED_BY, whom);
  if (ph === "e") return { tells: "replay over", id, by, at, outcome: text(outcome, NAME), why: text(why, ERROR) };
  if (ph !== "b" || !isCount(pid) || !isCount(tid)) return undefined;
  return {
    tells: "replay begun",
    id,
    by,
    pid,
    tid,
    at,
    name: text(name, NAME) ?? UNNAMED,
    durable: text(durable, NAME),
    program: text(program, NAME),
  };
}

function laneOf(pid: unknown, tid: unknown): string {
  return `${isCount(pid) ? pid : ""}.${isCount(tid) ? tid : ""}`;
}

function queuedOf(value: unknown): Queued | undefined {
  if (!isObject(value)) return undefined;
  const { n, name, site, durable } = value as Told<Queued>;
  if (!isCount(n)) return undefined;
  return {
    n,
    name: text(name, NAME) ?? UNNAMED,
    ...given("site", text(site, NAME)),
    ...given("durable", text(durable, NAME)),
  };
}

const UNNAMED = "(no name)";

/** The length at which names and errors are cut, in characters: many of them are kept. */
const NAME = 500;
const ERROR = 2_000;

/** How many names are kept of what a cleanup was waiting on. */
const MOST_WAITED_FOR = 20;

const OUTCOMES = [
  "ok",
  "failed",
  "timed out",
  "given up",
  "left to the guard",
  "done at the next start",
] as const satisfies readonly Outcome[];

const SHUTDOWN_OUTCOMES = ["ok", "failed", "given up"] as const;

const REPLAYED_BY = ["guard", "next start"] as const;

/** The latest time that a Date can hold, in milliseconds. */
const LATEST = 8.64e15;

/** Returns a time in microseconds as milliseconds. */
function timeOf(micros: unknown): number | undefined {
  return isNumber(micros) && micros <= LATEST * 1_000 ? micros / 1_000 : undefined;
}

function text(value: unknown, longest = NAME): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value.length <= longest) return value;
  // A slice alone would keep the whole text in memory.
  return `${Buffer.from(value.slice(0, longest - 1), "utf16le").toString("utf16le")}…`;
}

function oneOf<T extends string>(known: readonly T[], value: unknown): T | undefined {
  return known.find((each) => each === value);
}

function given<K extends string>(key: K, value: string | undefined): { readonly [_ in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [_ in K]: string });
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
