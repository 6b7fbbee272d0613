// This thread's part in one lock: its owner file, from the moment in which it
// asks for the lock until nobody here holds it or waits for it.

import { now, setImmediate } from "../platform/node-builtins.ts";
import { placeOf } from "../platform/open-directory.ts";
import { forResources } from "../durable/index.ts";
import { newToken } from "../durable/journal/file-name.ts";
import { OwnerFile } from "../durable/lock/owner-file.ts";
import { type Inode, isHeldBy, letGo } from "../durable/lock/protocol.ts";
import type { JsonValue } from "../durable/json-value.ts";
import type { Registration } from "../index.ts";
import { LockLoss } from "./lock-loss.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";

/** A lock that this process holds. */
export interface LockFile extends Disposable, AsyncDisposable {
  /** The lock file, absolute. */
  readonly path: string;
  /**
   * Fires when the lock is lost: its file was deleted or replaced. Watched from the
   * first time that it is asked for; it does not fire when the lock is released.
   */
  readonly lost: AbortSignal;
  /** Releases the lock; a second call does nothing. */
  release(): void;
  /** Reports whether the lock is held: not released, and its file not deleted or replaced. */
  isHeld(): boolean;
}

/**
 * How many owner files in a second have their kernel lock at once. That takes a helper,
 * and milliseconds: where locks are taken more often, only those have one that are
 * still there at the event loop's next turn.
 */
const PROVED_AT_ONCE = 3;

export class Contender {
  readonly lock: string;
  readonly file: OwnerFile;
  readonly #registration: Registration<void>;
  readonly #over: () => void;
  #uses = 0;

  constructor(lock: string, data: JsonValue | undefined, isProvedAtOnce: boolean, over: () => void) {
    this.lock = lock;
    this.#over = over;
    const token = newToken();
    // The recipe is written down first: at no moment is there a file that is left behind.
    const { in: directory } = placeOf(lock);
    const recipe = { do: "unlock", path: lock, in: directory, token } as const;
    this.#registration = forResources.add(contenderFor, () => recipe).registration;
    try {
      const journals = forResources.directoryIfAny()?.path ?? "";
      this.file = new OwnerFile(lock, token, journals, data);
      if (isProvedAtOnce) this.file.acquireKernelLock(false);
      else setImmediate(() => this.file.acquireKernelLock(false));
    } catch (error) {
      this.#registration.cancel();
      throw error;
    }
  }

  use(): this {
    this.#uses += 1;
    return this;
  }

  unuse(): void {
    this.#uses -= 1;
    if (this.#uses > 0) return;
    this.#over();
    try {
      this.file.remove();
    } finally {
      this.#registration.run();
    }
  }
}

/** Those without data of their own, which one owner file can stand for. */
const contenders = new Map<string, Contender>();

/** How many of them were made in the second that began then. */
let made = 0;
let madeSince = Number.NEGATIVE_INFINITY;

export function contenderFor(lock: string, data: JsonValue | undefined): Contender {
  if (data !== undefined) return new Contender(lock, data, true, () => {}).use();
  const known = contenders.get(lock);
  if (known !== undefined) return known.use();
  if (now() - madeSince > 1_000) {
    madeSince = now();
    made = 0;
  }
  made += 1;
  const contender = new Contender(lock, undefined, made <= PROVED_AT_ONCE, () => contenders.delete(lock));
  contenders.set(lock, contender);
  return contender.use();
}

export class HeldLock implements LockFile {
  readonly path: string;
  readonly #contender: Contender;
  readonly #inode: Inode;
  readonly #registration: Registration<void>;
  #isReleased = false;
  #loss: LockLoss | undefined;

  constructor(callee: Callee, contender: Contender) {
    this.path = contender.lock;
    this.#contender = contender;
    const { dev, ino } = contender.file;
    this.#inode = { dev, ino };
    this.#registration = registerForCaller(callee, { name: `release ${this.path}` }, () => this.#release());
  }

  get lost(): AbortSignal {
    // One that is released is lost no more.
    this.#loss ??= new LockLoss(this.path, () => this.#isReleased || this.isHeld());
    if (this.#isReleased) this.#loss.end();
    return this.#loss.signal;
  }

  release(): void {
    this.#registration.run();
  }

  isHeld(): boolean {
    return !this.#isReleased && isHeldBy(this.path, this.#inode);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  #release(): void {
    this.#isReleased = true;
    this.#loss?.end();
    try {
      letGo(this.path, this.#inode);
    } finally {
      this.#contender.unuse();
    }
  }
}
