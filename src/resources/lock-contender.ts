// This thread's part in one lock: its owner file, from the moment in which it
// asks for the lock until nobody here holds it or waits for it, or a while longer.

import { now, setImmediate, setTimeout } from "../platform/node-builtins.ts";
import { placeOf } from "../platform/open-directory.ts";
import { forResources } from "../durable/index.ts";
import { newToken } from "../durable/journal/file-name.ts";
import { statOf } from "../durable/lock/lock-path.ts";
import type { DurableRegistration } from "../durable/thread-journal.ts";
import { OwnerFile } from "../durable/lock/owner-file.ts";
import { type Inode, isHeldBy, letGo } from "../durable/lock/protocol.ts";
import type { JsonValue } from "../durable/json-value.ts";
import { exiting, type Registration } from "../index.ts";
import { LockLoss } from "./lock-loss.ts";
import { turnsAt } from "./lock-turns.ts";
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
 * still there after so long, in milliseconds.
 */
const PROVED_AT_ONCE = 3;
const PROVED_AFTER = 2;

/**
 * How many times in a second a lock is taken whose owner file is gone as soon as it is
 * released, and for how long the file stays where the same one is taken more often, in
 * milliseconds: to make a new one takes ten times as long as to take the lock, and the
 * new one has no kernel lock at first. A thread that blocks would not remove it, and
 * would go on listening to signals: there it stays for the rest of the event loop's turn.
 */
const WAITS = { goneAtOnce: 2, staysFor: 1_000 };
const BLOCKS = { goneAtOnce: 8, staysFor: 0 };

export class Contender {
  readonly lock: string;
  readonly file: OwnerFile;
  /** Whether this thread was told once of its turn here, and heard: then it looks seldom by itself. */
  isTold = false;
  /** Who has taken the lock with this file last: who had it before has lost it, though it is the same file. */
  taker: HeldLock | undefined;
  readonly #recipe: DurableRegistration;
  readonly #over: () => void;
  /** In milliseconds; 0 for the rest of the turn, and `undefined` for no time. */
  readonly #staysFor: number | undefined;
  #uses = 0;
  #idleSince = 0;
  #isStaying = false;

  /** @param blocks whether this thread blocks while it waits for the lock */
  constructor(lock: string, data: JsonValue | undefined, recent: Recent, blocks: boolean, over: () => void) {
    this.lock = lock;
    this.#over = over;
    const { goneAtOnce, staysFor } = blocks ? BLOCKS : WAITS;
    this.#staysFor = data === undefined && recent.ofThis > goneAtOnce ? staysFor : undefined;
    const token = newToken();
    // The recipe is written down first: at no moment is there a file that is left behind.
    const { in: directory } = placeOf(lock);
    const recipe = { do: "unlock", path: lock, in: directory, token } as const;
    this.#recipe = forResources.add(contenderFor, () => recipe, { letGo: () => this.file.close() });
    try {
      const journals = forResources.directoryIfAny()?.path ?? "";
      this.file = new OwnerFile(lock, token, journals, data);
      if (recent.all <= PROVED_AT_ONCE) this.file.acquireKernelLock(false);
      else setTimeout(() => this.file.acquireKernelLock(false), PROVED_AFTER).unref();
    } catch (error) {
      this.#recipe.registration.cancel();
      throw error;
    }
  }

  /** Whether this process has dropped the rights with which it has made its file: what it may not remove is for its guard. */
  get isOfAnotherUser(): boolean {
    return !this.#recipe.pending.isOwn;
  }

  /** Whether the process ends and its files at this lock have been removed: nobody would remove new ones. */
  get isOver(): boolean {
    return exiting.aborted && statOf(this.file.path) === undefined;
  }

  /** Whether something in this thread holds the lock, or waits for it. */
  get isUsed(): boolean {
    return this.#uses > 0;
  }

  use(): this {
    this.#uses += 1;
    return this;
  }

  unuse(): void {
    this.#uses -= 1;
    if (this.#uses > 0) return;
    if (this.#staysFor === undefined || exiting.aborted) {
      this.#end();
      return;
    }
    this.file.markIdle();
    this.#idleSince = now();
    if (!this.#isStaying) this.#stay(this.#staysFor);
  }

  /** Ends it when it has not been used for as long as it may stay. */
  #stay(time: number): void {
    this.#isStaying = true;
    const look = () => {
      this.#isStaying = false;
      if (this.#uses > 0) return;
      const left = this.#idleSince + (this.#staysFor ?? 0) - now();
      if (left > 0) this.#stay(left);
      else this.#end();
    };
    if (time > 0) setTimeout(look, time).unref();
    else setImmediate(look);
  }

  #end(): void {
    this.#over();
    try {
      this.file.remove();
    } catch (error) {
      this.#recipe.registration.run();
      if (this.isOfAnotherUser) return;
      throw error;
    }
    this.#recipe.registration.cancel(); // nothing is left that its recipe is about
  }
}

/** Those without data of their own, which one owner file can stand for. */
const contenders = new Map<string, Contender>();

/** How many owner files were made in the second that has begun, of all locks and of one. */
interface Recent {
  readonly all: number;
  readonly ofThis: number;
}

const made = new Map<string, number>();
let madeInAll = 0;
let madeSince = Number.NEGATIVE_INFINITY;

function countOneMore(lock: string): Recent {
  if (now() - madeSince > 1_000) {
    madeSince = now();
    madeInAll = 0;
    made.clear();
  }
  const ofThis = (made.get(lock) ?? 0) + 1;
  made.set(lock, ofThis);
  madeInAll += 1;
  return { all: madeInAll, ofThis };
}

export function contenderFor(lock: string, data: JsonValue | undefined, blocks: boolean): Contender {
  const known = data === undefined ? contenders.get(lock) : undefined;
  // At exit the file of one that is not used has been removed, and nobody's is in its way.
  if (known !== undefined && !known.isOver) return known.use();
  const contender = new Contender(lock, data, countOneMore(lock), blocks, () => {
    if (contenders.get(lock) === contender) contenders.delete(lock);
  });
  if (data === undefined) contenders.set(lock, contender);
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
    turnsAt(this.path).taken();
    this.#inode = { dev, ino };
    const before = contender.taker;
    contender.taker = this;
    before?.lookWhetherLost();
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
    return !this.#isReleased && this.#isTaker && isHeldBy(this.path, this.#inode);
  }

  get #isTaker(): boolean {
    return this.#contender.taker === this;
  }

  /** Looks now: no change of files tells that this thread has taken it once more. */
  lookWhetherLost(): void {
    this.#loss?.look();
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
    let isFree = false;
    try {
      isFree = this.#isTaker && letGo(this.path, this.#inode);
    } catch (error) {
      if (!this.#contender.isOfAnotherUser) throw error;
    } finally {
      if (this.#isTaker) this.#contender.taker = undefined;
      this.#contender.unuse();
    }
    const { file, isUsed } = this.#contender;
    if (isFree) turnsAt(this.path).released(isUsed ? file.path : undefined);
  }
}
