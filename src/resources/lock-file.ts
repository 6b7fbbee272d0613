// A lock file: one holder at a time, however the others end.

import { builtin, clearTimeout, now, setTimeout } from "../platform/node-builtins.ts";
import { forResources } from "../durable/index.ts";
import { holderOf, type LockHolder, journalsOf, lifeOfHolder, OwnerFile } from "../durable/lock/owner-file.ts";
import { breakLock, isHeldBy, letGo, sweep, take } from "../durable/lock/protocol.ts";
import { JournalDirectory } from "../durable/journal/directory.ts";
import { lifeOfHolder as lifeOfJournal } from "../durable/replay/claim.ts";
import { newToken, parseName, processPart } from "../durable/journal/file-name.ts";
import type { Life } from "../platform/process-identity.ts";
import { type JsonValue, refuseBeyondJson } from "../durable/json-value.ts";
import { recoverIn } from "../durable/replay/recover.ts";
import type { Registration } from "../index.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { blameCaller } from "../errors/define-errors.ts";
import { LockHeldError, resourceError } from "../errors/resources.ts";
import { packagePath } from "../platform/package-files.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";

/** Options of a lock: how long to wait for it, and the data in its file. */
export interface LockOptions {
  /** How long to wait while it is held, in milliseconds; `Infinity` for as long as it takes. By default not at all. */
  wait?: number;
  /** The data that others read of this holder, as JSON: a port, a URL. */
  data?: JsonValue;
}

/** A lock that this process holds. */
export interface LockFile extends Disposable, AsyncDisposable {
  /** The lock file, absolute. */
  readonly path: string;
  /** Releases the lock; a second call does nothing. */
  release(): void;
  /** Reports whether the lock is held: not released, and its file not deleted or replaced. */
  isHeld(): boolean;
}

/** How long an owner file outlives its lock, in milliseconds: the next acquisition comes soon, or never. */
const LINGER = 1_000;

/** The pause between two looks at a held lock, in milliseconds. A release shows sooner where files can be watched. */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 50;

/** How long a dead owner's recipes are waited for at least, in milliseconds. */
const CLEANED_WITHIN = 10_000;

const fs = builtin("fs");

/** This thread's part in one lock: its owner file, kept from one acquisition to the next. */
class Contender {
  readonly lock: string;
  readonly file: OwnerFile;
  readonly #registration: Registration<void>;
  readonly #over: () => void;
  #uses = 0;
  #lingering: NodeJS.Timeout | undefined;

  constructor(lock: string, data: JsonValue | undefined, over: () => void) {
    this.lock = lock;
    this.#over = over;
    const token = newToken();
    const journals = forResources.directory.path;
    // The recipe is written down first: at no moment is there a file that is left behind.
    this.#registration = forResources.add(contenderFor, () => ({ do: "unlock", path: lock, token })).registration;
    try {
      this.file = new OwnerFile(lock, token, journals, data);
      this.file.acquireKernelLock(false);
    } catch (error) {
      this.#registration.cancel();
      throw error;
    }
  }

  use(): this {
    this.#uses += 1;
    return this;
  }

  unuse(mayLinger: boolean): void {
    this.#uses -= 1;
    if (this.#uses > 0) return;
    if (!mayLinger) this.end();
    else if (this.#lingering !== undefined) this.#lingering.refresh();
    else this.#lingering = setTimeout(() => this.#uses === 0 && this.end(), LINGER).unref();
  }

  end(): void {
    clearTimeout(this.#lingering);
    this.#over();
    this.#registration.run();
    this.file.close();
  }
}

const contenders = new Map<string, Contender>();

function contenderFor(lock: string, data: JsonValue | undefined): Contender {
  if (data !== undefined) return new Contender(lock, data, () => {}).use();
  let contender = contenders.get(lock);
  if (contender === undefined) {
    contender = new Contender(lock, undefined, () => contenders.delete(lock));
    contenders.set(lock, contender);
  }
  return contender.use();
}

class HeldLock implements LockFile {
  readonly path: string;
  readonly #contender: Contender;
  readonly #registration: Registration<void>;
  #isReleased = false;

  constructor(callee: Callee, contender: Contender, mayLinger: boolean) {
    this.path = contender.lock;
    this.#contender = contender;
    this.#registration = registerForCaller(callee, { name: `release ${this.path}` }, () => this.#release(mayLinger));
  }

  release(): void {
    this.#registration.run();
  }

  isHeld(): boolean {
    return !this.#isReleased && isHeldBy(this.path, this.#contender.file);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  #release(mayLinger: boolean): void {
    this.#isReleased = true;
    letGo(this.path, this.#contender.file);
    this.#contender.unuse(mayLinger);
  }
}

export async function acquire(
  callee: Callee,
  path: unknown,
  options: LockOptions & { signal?: AbortSignal },
): Promise<LockFile> {
  const { signal } = options;
  signal?.throwIfAborted();
  const attempts = attemptsAt(callee, path, options);
  let changes: Changes | undefined;
  try {
    for (let step = blameCaller(callee, () => attempts.next()); ; step = attempts.next()) {
      if (step.done === true) return step.value;
      if (step.value.dead !== undefined) {
        const { directory, process } = step.value.dead;
        await recoverIn(JournalDirectory.at(directory), { only: ({ journal }) => journal.startsWith(process) });
      }
      changes ??= new Changes(step.value.lock);
      await changes.next(step.value.pause, signal);
    }
  } finally {
    changes?.end();
    attempts.return(undefined as never);
  }
}

export function acquireSync(callee: Callee, path: unknown, options: LockOptions): LockFile {
  const attempts = attemptsAt(callee, path, options);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  try {
    for (let step = attempts.next(); ; step = attempts.next()) {
      if (step.done === true) return step.value;
      if (step.value.dead !== undefined) recoverSync(step.value.dead.directory);
      Atomics.wait(cell, 0, 0, step.value.pause);
    }
  } finally {
    attempts.return(undefined as never);
  }
}

/** The steps of a caller before it tries again. */
interface Step {
  readonly lock: string;
  /** How long to wait, in milliseconds, unless something changes. */
  readonly pause: number;
  /** A dead owner's journals, which no process is carrying out. */
  readonly dead?: { readonly directory: string; readonly process: string } | undefined;
}

/**
 * Tries to take the lock until it is taken.
 *
 * @returns the lock
 * @throws a {@link LockHeldError} when the time is over
 */
function* attemptsAt(callee: Callee, path: unknown, { wait = 0, data }: LockOptions): Generator<Step, LockFile, void> {
  const lock = checked(path);
  if (wait !== Number.POSITIVE_INFINITY) checkTime("wait", wait);
  if (data !== undefined) refuseBeyondJson([data]);
  const startedAt = now();
  const contender = systemErrors(lock, () => contenderFor(lock, data));
  let isTaken = false;
  try {
    let pause = SHORTEST_PAUSE;
    let lookAt = startedAt;
    for (;;) {
      isTaken = systemErrors(lock, () => take(lock, contender.file));
      if (isTaken) return new HeldLock(callee, contender, data === undefined);
      const time = now();
      // To find out who holds the lock takes ten times as long as to find that it is held.
      if (time < lookAt && time - startedAt < wait) {
        yield { lock, pause: Math.min(pause, lookAt - time, wait - (time - startedAt)) };
        pause = Math.min(pause * 1.5, LONGEST_PAUSE);
        continue;
      }
      const holder = systemErrors(lock, () => holderOf(lock));
      if (holder === undefined) continue;
      const life = lifeOfHolder(lock, holder);
      if (life !== "dead") lookAt = time + LONGEST_PAUSE;
      const limit = life === "dead" ? Math.max(wait, CLEANED_WITHIN) : wait;
      const left = limit - (now() - startedAt);
      if (left <= 0) throw lockHeldError(lock, holder, life);
      let dead: Step["dead"];
      if (life === "dead") {
        const recipes = recipesOf(holder);
        if (recipes === "done") {
          contender.file.acquireKernelLock(true);
          if (systemErrors(lock, () => breakLock(lock, holder.token as string, contender.file)) === "over") {
            systemErrors(lock, () => sweep(lock));
            pause = SHORTEST_PAUSE;
            continue;
          }
        } else if (recipes !== "claimed") {
          dead = recipes;
        }
      }
      yield { lock, pause: Math.min(pause, left), dead };
      pause = Math.min(pause * 1.5, LONGEST_PAUSE);
    }
  } finally {
    if (!isTaken) contender.unuse(data === undefined);
  }
}

function checked(path: unknown): string {
  const { resolve } = builtin("path");
  if (path instanceof URL && path.protocol === "file:") return builtin("url").fileURLToPath(path);
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw resourceError("ERR_ATEXIT_OPTION", "The lock file", path, 'a path such as "/run/lock/app.lock"');
  }
  return resolve(path);
}

/** Calls `body`, and gives the system's errors a message that says what to do. */
function systemErrors<T>(lock: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "" || code.startsWith("ERR_")) throw error;
    throw Object.assign(resourceError("ERR_ATEXIT_LOCK", lock, message), { cause: error });
  }
}

function lockHeldError(lock: string, { record: known, since }: LockHolder, life: Life): LockHeldError {
  const holder = { pid: known?.owner.pid, since, host: known?.host, program: known?.program, data: known?.data };
  return new LockHeldError(lock, holder, { host: builtin("os").hostname(), pid: process.pid, life });
}

/**
 * Reports whether a dead owner's recipes have been carried out: its lock is free
 * when its mess is gone.
 */
function recipesOf({ record: known, token }: LockHolder): "done" | "claimed" | NonNullable<Step["dead"]> {
  const directory = known === undefined ? undefined : journalsOf(known);
  if (directory === undefined || token === undefined) return "done";
  const owner = processPart(token);
  let isClaimed = false;
  for (const file of filesIn(directory)) {
    const name = parseName(file);
    if (name === undefined || !name.journal.startsWith(owner)) continue;
    if (name.kind !== "journal" && name.kind !== "claim") continue;
    if (lifeOfJournal(JournalDirectory.at(directory), name) === "dead") return { directory, process: owner };
    isClaimed ||= name.kind === "claim";
  }
  return isClaimed ? "claimed" : "done";
}

/** Returns the files in a directory; none where it is another user's. */
function filesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

/** Recovers as `recoverIn` does, but blocking, in a process of its own. */
function recoverSync(directory: string): void {
  builtin("child_process").spawnSync(process.execPath, [packagePath("replay"), "--recover", directory], {
    stdio: "ignore",
    timeout: CLEANED_WITHIN,
  });
}

/** Tells when a lock file has changed, where files can be watched. */
class Changes {
  readonly #watcher: import("node:fs").FSWatcher | undefined;
  #wake = () => {};

  constructor(lock: string) {
    const { basename, dirname } = builtin("path");
    const name = basename(lock);
    try {
      this.#watcher = fs.watch(dirname(lock), { persistent: false }, (_, file) => {
        if (file === null || file === name) this.#wake();
      });
      this.#watcher.on("error", () => {});
    } catch {
      // There are too many watchers, or the file system has none: the pause alone ends the wait.
    }
  }

  /**
   * Resolves at the next change, or after so many milliseconds.
   *
   * @throws (rejects with) the signal's reason
   */
  async next(pause: number, signal: AbortSignal | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake = () => {};
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#wake = resolve;
      timer = setTimeout(resolve, pause);
      signal?.addEventListener("abort", wake);
    });
    clearTimeout(timer);
    signal?.removeEventListener("abort", wake);
    this.#wake = () => {};
    signal?.throwIfAborted();
  }

  end(): void {
    this.#watcher?.close();
  }
}
