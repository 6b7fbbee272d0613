// Whose turn it is, among those who wait for a lock: whoever lets it go wakes the one
// that has waited longest, and does not take it again before that one has had time to.
// These are hints: whoever is not told looks after a pause, and link(2) alone decides.
//
// Each waiter's owner file lies beside the lock. Its time of modification is since when
// it waits; its time of access, when it was told last, and the change of it wakes it.

import { exiting } from "../index.ts";
import { filesBeside, statOf } from "../durable/lock/lock-path.ts";
import type { OwnerFile } from "../durable/lock/owner-file.ts";
import { builtin, now, setImmediate, timeOfDay } from "../platform/node-builtins.ts";

/** How long one thread may take a lock again and again while others wait, in milliseconds: to change hands costs more than a turn. */
const SLICE = 5;

/** How long it then leaves the lock to the one that was told, in milliseconds. */
const LEFT_FOR = 25;

/**
 * Who was told and has not taken the lock is told again after so long, in milliseconds,
 * and then after twice as long each time: it may be dead, or stopped.
 */
const TOLD_AGAIN_AFTER = 50;

const fs = builtin("fs");

/** The turns of one thread at one lock. */
export class LockTurns {
  readonly #lock: string;
  readonly #file: OwnerFile;
  #sliceSince: number | undefined;
  #leftUntil = Number.NEGATIVE_INFINITY;
  #isOffered = false;

  constructor(lock: string, file: OwnerFile) {
    this.#lock = lock;
    this.#file = file;
  }

  /** How long this thread leaves the lock to others, in milliseconds. */
  get leavesFor(): number {
    return this.#leftUntil - now();
  }

  taken(): void {
    this.#isOffered = false;
    if (this.#sliceSince === undefined) this.#sliceSince = now();
  }

  /** @param isWanted whether others in this thread wait for it */
  released(isWanted: boolean): void {
    const isOver = this.#sliceSince !== undefined && now() - this.#sliceSince >= SLICE;
    if (isOver || exiting.aborted) {
      this.#offer(isWanted);
      return;
    }
    if (isWanted) this.#wake(this.#file.path);
    if (this.#isOffered) return;
    this.#isOffered = true;
    // Whoever takes it again does so before the event loop's next turn.
    setImmediate(() => {
      if (this.#isOffered) this.#offer(false);
    });
  }

  #offer(isWanted: boolean): void {
    this.#isOffered = false;
    this.#sliceSince = undefined;
    const next = this.#longestWaiting();
    if (next !== undefined) this.#leftUntil = now() + LEFT_FOR;
    if (next !== undefined || isWanted) this.#wake(next ?? this.#file.path);
  }

  #longestWaiting(): string | undefined {
    if (statOf(this.#lock) !== undefined) return undefined; // somebody was quicker
    const time = timeOfDay();
    let longest: string | undefined;
    let since = Number.POSITIVE_INFINITY;
    for (const { path, token, isBreak } of filesBeside(this.#lock)) {
      const stats = isBreak || token === this.#file.token ? undefined : statOf(path);
      // A waiter's file has no other name.
      if (stats?.isFile() !== true || stats.nlink > 1 || stats.mtimeMs >= since) continue;
      const { atimeMs: toldAt, mtimeMs: waitsSince } = stats;
      if (time - toldAt < Math.max(TOLD_AGAIN_AFTER, toldAt - waitsSince)) continue;
      longest = path;
      since = waitsSince;
    }
    return longest;
  }

  #wake(file: string): void {
    try {
      const { mtime } = fs.lstatSync(file);
      fs.lutimesSync(file, timeOfDay() / 1_000, mtime);
    } catch {
      // It is gone, or another user's: it looks by itself.
    }
  }
}
