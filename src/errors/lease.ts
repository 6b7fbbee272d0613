// The errors of this part, as a table, and the errors that say who holds a lease
// and how one was lost.

import { timeOfDay } from "../platform/node-builtins.ts";
import { printable } from "../platform/printable.ts";
import { clause, defineErrors } from "./define-errors.ts";
import { recogniseInAllCopies } from "./instance-of.ts";

const table = {
  ERR_ATEXIT_ENGINE: {
    Class: Error,
    message: (engine: string, why: string, advice = "Wait for it with { wait }, or look whether it runs.") =>
      `${engine} has not answered for its leases: ${clause(printable(why))}. ${advice}`,
  },
  ERR_ATEXIT_ENGINE_ENDED: {
    Class: Error,
    message: (engine: string, name: string) =>
      `The lease ${printable(name)} is not waited for any more: end() was called, or this process is ending, and gives back what it holds on ${engine}.`,
  },
  ERR_ATEXIT_RECIPES: {
    Class: Error,
    message: (engine: string, why: string) => `${engine} cannot keep this recipe: ${clause(why)}.`,
  },
  ERR_ATEXIT_ACTION: {
    Class: TypeError,
    message: (given: string) =>
      `${given} is no action that a keeper knows. Pass a function of what actions({ … }) of atexit/keeper returned.`,
  },
  ERR_ATEXIT_ACTIONS: {
    Class: TypeError,
    message: (module: string, why: string) =>
      `${module} ${clause(why)}. A module of actions exports what actions({ … }) of atexit/keeper returned, once.`,
  },
} as const;

/** The `code` of an error of this part. */
export type LeaseErrorCode = keyof typeof table | "ERR_ATEXIT_LEASE_HELD" | "ERR_ATEXIT_LEASE_LOST";

/** Makes the error of a code, with the parts of its message. */
export const leaseError = defineErrors(table);

/** The known facts about a lease's holder: what it has said of itself, and what the engine knows. */
export interface LeaseHolder {
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** Its executable and script, or its label. */
  readonly program: string | undefined;
  /** Since when it holds the lease, by the engine's clock. */
  readonly since: Date | undefined;
  /** The value that it passed as `data`. */
  readonly data: unknown;
}

/** The error thrown where another holder has the lease. */
export class LeaseHeldError extends Error implements LeaseHolder {
  override readonly name = "LeaseHeldError";
  readonly code = "ERR_ATEXIT_LEASE_HELD";
  /** The lease's name. */
  readonly lease: string;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  readonly program: string | undefined;
  readonly since: Date | undefined;
  /** The value that the holder passed as `data`. Check it: whoever may take leases can have written it. */
  readonly data: unknown;
  /** In how many milliseconds it is free unless its holder is heard of again; unknown where the engine does not tell. */
  readonly freeIn: number | undefined;

  constructor(lease: string, holder: LeaseHolder & { readonly freeIn: number | undefined }, isOwn: boolean) {
    const { host, pid, program, since, data, freeIn } = holder;
    const who = isOwn
      ? "this process itself"
      : `${pid === undefined ? "a process" : `process ${pid}`}${host === undefined ? "" : ` on ${printable(host)}`}${program === undefined ? "" : ` (${printable(program)})`}`;
    const time = since === undefined ? "" : ` since ${since.toISOString()} (${secondsSince(since)} s)`;
    const advice = isOwn ? "Release it first, or wait for it with { wait }." : adviceFor(freeIn);
    super(`The lease ${printable(lease)} is held by ${who}${time}. ${advice}`);
    this.lease = lease;
    this.host = host;
    this.pid = pid;
    this.program = program;
    this.since = since;
    this.data = data;
    this.freeIn = freeIn;
  }
}

recogniseInAllCopies(LeaseHeldError);

/** Why a lease is over: the engine was not heard of in time, or has given this owner up, or it was released. */
export type LossReason = "silence" | "dead" | "released";

/** The reason of a lease's signal, and what `throwIfLost()` throws: this process does not hold the lease any more. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
  readonly code = "ERR_ATEXIT_LEASE_LOST";
  /** The lease's name. */
  readonly lease: string;
  /** The token of the turn that is over. */
  readonly token: bigint;
  /** `silence`: no heartbeat was answered in time; `dead`: the engine has declared this process dead; or it was released. */
  readonly reason: LossReason;

  constructor(lease: string, token: bigint, reason: LossReason, engine: string) {
    super(`The lease ${printable(lease)} (token ${token}) ${LOST[reason](engine)}`);
    this.lease = lease;
    this.token = token;
    this.reason = reason;
  }
}

recogniseInAllCopies(LeaseLostError);

const LOST: Readonly<Record<LossReason, (engine: string) => string>> = {
  silence: (engine) =>
    `is lost: ${engine} has not answered a heartbeat in time, or this process was paused, and others may take the lease soon. Stop what it protects, and take it anew.`,
  dead: (engine) =>
    `is lost: ${engine} has declared this process dead, since it was silent for too long, and others may have the lease. Stop what it protects, and take it anew.`,
  released: () => "was released. Take it anew.",
};

function adviceFor(freeIn: number | undefined): string {
  if (freeIn === undefined) return "Stop that process, or wait for it with { wait }.";
  const seconds = Math.max(0, freeIn / 1_000).toFixed(1);
  return `Stop that process, or wait for it with { wait }: where it is dead, the lease is free in ${seconds} s.`;
}

function secondsSince(time: Date): number {
  return Math.max(0, Math.round((timeOfDay() - time.getTime()) / 1_000));
}
