// A lock file: one holder at a time, however the others end.

import { block } from "../platform/block.ts";
import { absolutePath } from "../platform/absolute-path.ts";
import { builtin, now, timeOfDay } from "../platform/node-builtins.ts";
import { holderOf, type LockHolder } from "../durable/lock/holder.ts";
import { LONGEST_DATA } from "../durable/lock/lock-record.ts";
import type { OwnerFile } from "../durable/lock/owner-file.ts";
import { breakLock, isHeldBy, sweep, take } from "../durable/lock/protocol.ts";
import { parseToken } from "../durable/journal/file-name.ts";
import { isThisThread, type Life } from "../platform/process-identity.ts";
import { type JsonValue, refuseBeyondJson } from "../durable/json-value.ts";
import { checkSignal } from "../settings/abort-signal.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { blameCaller } from "../errors/define-errors.ts";
import { type LockHolder as Holder, LockHeldError, resourceError } from "../errors/resources.ts";
import { DeadHolder, lifeOfHolder } from "./dead-holder.ts";
import { LockChanges } from "./lock-changes.ts";
import { type Contender, contenderFor, HeldLock, type LockFile } from "./lock-contender.ts";
import { Place } from "./lock-line.ts";
import { LEFT_FOR, leavesFor } from "./lock-turns.ts";
import type { Callee } from "./register-for-caller.ts";
import { process } from "../platform/process.ts";

export type { LockFile };

/** Options of a lock: how long to wait for it, and the data in its file. */
export interface LockOptions {
  /**
   * How long to wait while it is held, in milliseconds; `Infinity` for as long as
   * it takes. By default not at all. What a dead holder left behind is waited for
   * at least ten seconds.
   */
  wait?: number;
  /**
   * The data that others read of this holder, as JSON: a port, a URL. At most 256
   * KB, and nothing secret: all users read it who can reach the lock.
   */
  data?: JsonValue;
  /**
   * Called once when the lock is lost: its file was deleted or replaced. It is given
   * an error with the code `ERR_ATEXIT_LOCK_LOST`.
   */
  onLost?: (reason: Error) => void;
}

/** A lock's state, as others see it. */
export interface LockState extends Holder {
  /** Whether the holder is alive, or `unknown` from here. A dead holder's mess is being cleaned up. */
  readonly life: Life;
}

/**
 * The pause between two looks at a held lock, in milliseconds: the shortest at first, since
 * most locks are let go soon. Whoever is told of its turn, as was seen, looks as seldom as can
 * be: a look that finds the lock free for a moment takes it out of turn.
 */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 50;
/** For how long it stays the shortest. Who does not block may be told: with many of those, looks would take all cores. */
const SHORTEST_FOR = 20;
const SHORTEST_BLOCKED_FOR = 250;

/** How long a dead owner's recipes are waited for at least, in milliseconds. */
const CLEANED_WITHIN = 10_000;

/** How often in a row a lock may be neither free nor there, before that is an error. */
const MOST_VANISHINGS = 1_000;

export async function acquire(
  callee: Callee,
  path: unknown,
  options: LockOptions & { signal?: AbortSignal },
): Promise<LockFile> {
  const { signal } = options;
  blameCaller(callee, () => checkSignal(signal));
  signal?.throwIfAborted();
  const lock = blameCaller(callee, () => checked(path, options));
  const { wait = 0 } = options;
  const startedAt = now();
  if (wait === 0) return attempted(callee, lock, options, startedAt);
  const place = new Place(lock);
  try {
    await place.comes(wait, signal);
    // Whose time is over in the line looks for itself, and says who holds the lock.
    return await attempted(callee, lock, options, startedAt);
  } finally {
    place.leave();
  }
}

async function attempted(
  callee: Callee,
  lock: string,
  options: LockOptions & { signal?: AbortSignal },
  startedAt: number,
): Promise<LockFile> {
  const attempts = attemptsAt(callee, lock, options, startedAt);
  let changes: LockChanges | undefined;
  try {
    let isChange = false;
    for (let step = blameCaller(callee, () => attempts.next(false)); ; step = attempts.next(isChange)) {
      if (step.done === true) return step.value;
      const { file, pause } = step.value;
      const isFirst = changes === undefined;
      changes ??= new LockChanges(file.path);
      // It may have been told before the file was watched.
      isChange = (isFirst && file.wasTold) || (await changes.next(pause, options.signal));
    }
  } finally {
    changes?.end();
    attempts.return(undefined as never);
  }
}

export function acquireSync(callee: Callee, path: unknown, options: LockOptions): LockFile {
  const attempts = attemptsAt(callee, checked(path, options), options, now(), true);
  try {
    for (let step = attempts.next(false); ; step = attempts.next(false)) {
      if (step.done === true) return step.value;
      block(step.value.pause);
    }
  } finally {
    attempts.return(undefined as never);
  }
}

/** What a caller does before it tries again; then it says whether this thread's file was changed meanwhile. */
interface Step {
  /** This thread's own file at the lock: whoever lets the lock go changes it. */
  readonly file: OwnerFile;
  /** How long to wait, in milliseconds, unless something changes. */
  readonly pause: number;
}

/**
 * Tries to take the lock until it is taken.
 *
 * @param startedAt when the wait began, by now()
 * @param blocks whether this thread blocks meanwhile: it would wait for ever for a lock of its own
 * @returns the lock
 * @throws a {@link LockHeldError} when the time is over
 */
function* attemptsAt(
  callee: Callee,
  lock: string,
  options: LockOptions,
  startedAt: number,
  blocks = false,
): Generator<Step, LockFile, boolean> {
  const { wait = 0, data, onLost } = options;
  const contender = systemErrors(lock, () => contenderFor(lock, data, blocks));
  const { file } = contender;
  let isTaken = false;
  let since: number | undefined;
  let pause = contender.isTold ? LONGEST_PAUSE : SHORTEST_PAUSE;
  function* step(length: number): Generator<Step, void, boolean> {
    // Who was told, and came too late, is to be told again.
    if (since === undefined || (contender.isTold && file.wasTold)) file.markWaiting((since ??= timeOfDay()));
    const isChange = yield { file, pause: length };
    if (!isChange || contender.isTold || !file.wasTold) return;
    contender.isTold = true;
    pause = LONGEST_PAUSE;
  }
  try {
    const moment = Math.min(leavesFor(lock), Math.max(wait, LEFT_FOR));
    if (moment > 0) {
      const time = now();
      yield* step(moment);
      startedAt += now() - time;
    }
    let lookAt = startedAt;
    let vanishings = 0;
    let dead: DeadHolder | undefined;
    for (;;) {
      // The process ends: what is taken now nobody would release.
      while (contender.isOver) {
        if (now() - startedAt >= wait) throw resourceError("ERR_ATEXIT_LOCK", lock, "this process ends");
        yield* step(LONGEST_PAUSE);
      }
      isTaken = systemErrors(lock, () => take(lock, file));
      if (isTaken) return held(new HeldLock(callee, contender), onLost);
      const time = now();
      // To find out who holds the lock takes ten times as long as to find that it is held.
      if (blocks && isHeldBy(lock, file)) throw lockHeldError(lock, holderOf(lock) as LockHolder, "alive");
      if (time < lookAt && time - startedAt < wait) {
        yield* step(Math.min(pause, lookAt - time, wait - (time - startedAt)));
        pause = nextPause(pause, now() - startedAt, blocks);
        continue;
      }
      const holder = systemErrors(lock, () => holderOf(lock));
      vanishings = holder === undefined ? vanishings + 1 : 0;
      if (vanishings > MOST_VANISHINGS) throw resourceError("ERR_ATEXIT_LOCK", lock, "it is neither free nor there");
      if (holder === undefined) continue;
      // With other data this thread has another file at the lock, as has another copy of this package in it.
      if (blocks && holder.record !== undefined && isThisThread(holder.record.owner)) {
        throw lockHeldError(lock, holder, "alive");
      }
      const life = holder.token === undefined || holder.token !== dead?.token ? lifeOfHolder(lock, holder) : "dead";
      const limit = life === "dead" ? Math.max(wait, CLEANED_WITHIN) : wait;
      const left = limit - (now() - startedAt);
      if (left <= 0) throw lockHeldError(lock, holder, life);
      if (life === "dead") {
        const token = holder.token as string; // by which its death is known
        if (dead?.token !== token) {
          dead = new DeadHolder(lock, token, holder);
          pause = SHORTEST_PAUSE; // its guard takes moments
        }
        if (dead.isCleanedUp() && isBroken(lock, holder, dead, contender)) {
          pause = SHORTEST_PAUSE;
          continue;
        }
      } else lookAt = time + LONGEST_PAUSE;
      yield* step(Math.min(pause, left));
      pause = nextPause(pause, now() - startedAt, blocks);
    }
  } finally {
    if (!isTaken) contender.unuse();
  }
}

function nextPause(pause: number, waited: number, blocks: boolean): number {
  return waited < (blocks ? SHORTEST_BLOCKED_FOR : SHORTEST_FOR) ? pause : Math.min(pause * 1.5, LONGEST_PAUSE);
}

function held(lock: LockFile, onLost: LockOptions["onLost"]): LockFile {
  if (onLost !== undefined) {
    const { lost } = lock;
    lost.addEventListener("abort", () => onLost(lost.reason as Error), { once: true });
  }
  return lock;
}

/** Says who holds a lock, and takes nothing: no file is made, and nobody who waits is woken. */
export function stateOf(path: unknown): LockState | undefined {
  const lock = checkedPath(path);
  let holder: LockHolder | undefined;
  try {
    holder = systemErrors(lock, () => holderOf(lock));
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw error;
    const { pid, uid, since, host, program, data, life } = error;
    return { pid, uid, since, host, program, data, life };
  }
  return holder === undefined ? undefined : { ...factsOf(holder), life: lifeOfHolder(lock, holder) };
}

/** Takes the lock from its dead holder; reports whether it is over, by this process or by another one. */
function isBroken(lock: string, holder: LockHolder, dead: DeadHolder, { file }: Contender): boolean {
  file.acquireKernelLock(true);
  return systemErrors(lock, () => {
    try {
      if (breakLock(lock, dead.token, file) === "busy") return false;
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      if (code !== "EPERM" && code !== "EACCES") throw error;
      const why = `its holder, process ${pidOf(holder)} of user ${holder.uid}, has died, and this user may not remove its file (${message})`;
      throw Object.assign(resourceError("ERR_ATEXIT_LOCK", lock, why), { cause: error });
    }
    dead.tellIfUnseen();
    sweep(lock);
    return true;
  });
}

/** Checks what was given. @returns the lock's path, absolute */
function checked(path: unknown, { onLost, wait = 0, data }: LockOptions): string {
  const lock = checkedPath(path);
  if (onLost !== undefined && typeof onLost !== "function") {
    throw resourceError("ERR_ATEXIT_OPTION", "onLost", onLost, "a function");
  }
  if (wait !== Number.POSITIVE_INFINITY) checkTime("wait", wait);
  if (data !== undefined) checkData(data);
  return lock;
}

function checkedPath(path: unknown): string {
  if (path instanceof URL && path.protocol === "file:") return absolutePath(builtin("url").fileURLToPath(path));
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw resourceError("ERR_ATEXIT_OPTION", "The lock file", path, 'a path such as "/run/app/app.lock"');
  }
  return absolutePath(path);
}

function checkData(data: JsonValue): void {
  refuseBeyondJson([data]);
  const size = Buffer.byteLength(JSON.stringify(data));
  if (size <= LONGEST_DATA) return;
  throw resourceError("ERR_ATEXIT_OPTION", "The length of data, as JSON,", size, `at most ${LONGEST_DATA} bytes`);
}

/** Calls `body`, and gives the system's errors a message that says what to do. */
function systemErrors<T>(lock: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "" || code.startsWith("ERR_ATEXIT_")) throw error;
    throw Object.assign(resourceError("ERR_ATEXIT_LOCK", lock, message), { cause: error });
  }
}

function pidOf({ record, token }: LockHolder): number | undefined {
  return record?.owner.pid ?? (token === undefined ? undefined : parseToken(token)?.pid);
}

function lockHeldError(lock: string, holder: LockHolder, life: Life): LockHeldError {
  return new LockHeldError(lock, factsOf(holder), { pid: process.pid, life });
}

function factsOf(holder: LockHolder): Holder {
  const { since, uid, record: { host, program, data } = {} } = holder;
  return { pid: pidOf(holder), uid, since, host, program, data };
}
