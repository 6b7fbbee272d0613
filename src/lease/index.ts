// The public API of `atexit/lease`: one holder at a time, of all processes on all
// machines that ask the same engine.

/// <reference lib="esnext.disposable" preserve="true" />

import { refuseBeyondJson } from "../durable/json-value.ts";
import type { JsonValue } from "../durable/index.ts";
import { beginAt, blameCaller } from "../errors/define-errors.ts";
import type { LossReason } from "../errors/lease.ts";
import { resourceError } from "../errors/resources.ts";
import type { Registration } from "../index.ts";
import { type Callee, registerForCaller } from "../resources/register-for-caller.ts";
import { checkSignal } from "../settings/abort-signal.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { type Engine, type EngineKind, type EngineOptions, LeaseEngine } from "./engine.ts";
import type { HeldLease } from "./held-lease.ts";
import type { Lease } from "./lease-handle.ts";
import { Election, type Leading, type Task } from "./lead.ts";

export { LeaseHeldError, type LeaseErrorCode, type LeaseHolder, LeaseLostError } from "../errors/lease.ts";
export type { Engine, EngineOptions, JsonValue, Lease, Leading, LossReason, Task };

/**
 * What engines are made of.
 *
 * @internal
 */
export const forEngines = {
  make: (kind: EngineKind, options: EngineOptions): Engine => new LeaseEngine(kind, options),
};

/** Options of a lease. */
export interface LeaseOptions {
  /**
   * How long to wait for the holder, and for an engine that is away, in milliseconds;
   * `Infinity` for as long as it takes. By default not at all. A request that is under
   * way is waited for up to a third of ttl.
   */
  wait?: number;
  /** Stops waiting. */
  signal?: AbortSignal;
  /** What others read of this holder, beside host, pid, program and since when; at most 64 KB as JSON. */
  data?: JsonValue;
  /**
   * Whose word counts that a silent holder is gone: `engine`, that of the engine's
   * clock (the default), or `observed`, this process's own eyes, for a whole ttl of
   * the holder. The second is right also where the engine's clock jumps.
   */
  evidence?: "engine" | "observed";
}

const LONGEST_NAME = 512;
const LONGEST_DATA = 65_536;

/**
 * Takes a lease: of all processes, on all machines, that ask the same engine for
 * the same name, one at a time has it.
 *
 * - Every exit that JavaScript sees: it is given back, after what was registered
 *   later has been cleaned up.
 * - SIGKILL, a crash, out of memory: it is given back by this process's guard, in
 *   about the time that Node takes to start, where the engine was told how it is
 *   found again (`env`); else it is free when ttl is over.
 * - The machine's death, a partition: it is free when ttl is over.
 *
 * No lease can stop a process that was paused between looking and writing. Where
 * that matters, let the resource check its token.
 *
 * @param engine what `postgres()` of atexit/postgres and its like return
 * @param name what is leased: 1 to 512 bytes
 * @param options how long to wait, in milliseconds, and what to tell others
 * @throws (rejects with) a {@link LeaseHeldError} that says who holds it; the
 *   signal's reason; an error with the code `ERR_ATEXIT_ENGINE` where the engine does
 *   not answer, `ERR_ATEXIT_ENGINE_ENDED` where `engine.end()` was called meanwhile; a
 *   `TypeError` with the code `ERR_ATEXIT_OPTION` or `ERR_ATEXIT_JSON`
 * @example
 * ```ts
 * import { lease } from "atexit/lease";
 * import { postgres } from "atexit/postgres";
 * import pg from "pg";
 *
 * const engine = postgres(new pg.Pool({ connectionString: process.env.DATABASE_URL }), { env: "DATABASE_URL" });
 * await using nightly = await lease(engine, "nightly-report", { wait: 60_000 });
 * nightly.throwIfLost();
 * ```
 */
export async function lease(engine: Engine, name: string, options: LeaseOptions = {}): Promise<Lease> {
  return takeFor(lease, engine, name, options);
}

/**
 * Leads while elected, again and again, until it is stopped. `task` runs with the
 * term's lease and a signal that fires when the term has to end; when its promise
 * settles the term is given up, and a second later this process stands again.
 *
 * @param engine as {@link lease} takes it
 * @param name what is led
 * @param task what the leader does; it must end soon after its second argument, an
 *   `AbortSignal`, has fired
 * @param options those of {@link lease}, without `wait`; and `onError`, called where
 *   `task` or the engine fails: without it such a failure ends all
 * @throws a `TypeError` with the code `ERR_ATEXIT_OPTION`
 * @example
 * ```ts
 * import { lead } from "atexit/lease";
 * import { setTimeout as sleep } from "node:timers/promises";
 *
 * const leading = lead(engine, "scheduler", async (term, ending) => {
 *   while (!ending.aborted) {
 *     term.throwIfLost();
 *     console.log("I am the leader, with token", term.token);
 *     await sleep(1_000, undefined, { signal: ending }).catch(() => {});
 *   }
 * });
 * await leading.stop();
 * ```
 */
export function lead(
  engine: Engine,
  name: string,
  task: Task,
  options: Omit<LeaseOptions, "wait"> & { onError?(error: unknown): void } = {},
): Leading {
  blameCaller(lead, () => check(engine, name, options));
  const { onError, signal, ...others } = options;
  const take = (stop: AbortSignal) => {
    const either = signal === undefined ? stop : AbortSignal.any([signal, stop]);
    return takeFor(lead, engine, name, { ...others, wait: Number.POSITIVE_INFINITY, signal: either });
  };
  return new Election(name, take, task, onError && ((error) => onError(error)));
}

async function takeFor(callee: Callee, engine: Engine, name: string, options: LeaseOptions): Promise<Lease> {
  try {
    const { wait = 0, signal, data, evidence = "engine" } = options;
    check(engine, name, options);
    const observedOnly = evidence === "observed";
    const held = await (engine as LeaseEngine).take({ name, wait, signal, data, observedOnly });
    return new RegisteredLease(callee, held);
  } catch (error) {
    throw beginAt(callee, error);
  }
}

/** A lease on this thread's stack of cleanups. */
class RegisteredLease implements Lease {
  readonly #held: HeldLease;
  readonly #registration: Registration<Promise<void>>;

  constructor(callee: Callee, held: HeldLease) {
    this.#held = held;
    this.#registration = registerForCaller(callee, { name: `release the lease ${held.name}` }, () => held.release());
    held.onEnd = () => this.#registration.cancel();
    if (!held.isHeld()) this.#registration.cancel();
  }

  get name(): string {
    return this.#held.name;
  }

  get token(): bigint {
    return this.#held.token;
  }

  get signal(): AbortSignal {
    return this.#held.signal;
  }

  get remaining(): number {
    return this.#held.remaining;
  }

  isHeld(): boolean {
    return this.#held.isHeld();
  }

  throwIfLost(): void {
    this.#held.throwIfLost();
  }

  async release(): Promise<void> {
    // After clear() it is not on the stack any more, and can be given back all the same.
    await (this.#registration.run() ?? this.#held.release());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

function check(engine: unknown, name: unknown, { wait = 0, signal, data, evidence }: LeaseOptions): void {
  if (typeof engine !== "object" || engine === null || !("take" in engine)) {
    throw resourceError("ERR_ATEXIT_OPTION", "The engine", engine, "what postgres() of atexit/postgres returns");
  }
  if (typeof name !== "string" || name === "" || name.includes("\0") || Buffer.byteLength(name) > LONGEST_NAME) {
    throw resourceError("ERR_ATEXIT_OPTION", "The lease's name", name, `a text of 1 to ${LONGEST_NAME} bytes`);
  }
  if (wait !== Number.POSITIVE_INFINITY) checkTime("wait", wait);
  checkSignal(signal);
  if (evidence !== undefined && evidence !== "engine" && evidence !== "observed") {
    throw resourceError("ERR_ATEXIT_OPTION", "evidence", evidence, '"engine" or "observed"');
  }
  if (data === undefined) return;
  refuseBeyondJson([data]);
  const size = Buffer.byteLength(JSON.stringify(data));
  if (size <= LONGEST_DATA) return;
  throw resourceError("ERR_ATEXIT_OPTION", "The length of data, as JSON,", size, `at most ${LONGEST_DATA} bytes`);
}
