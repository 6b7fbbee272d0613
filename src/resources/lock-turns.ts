// Whose turn it is, among those who wait for a lock: whoever lets it go wakes the one
// that has waited longest, and does not take it again before that one has had time to.
// These are hints: whoever is not told looks after a pause, and link(2) alone decides.
//
// Each waiter's owner file lies beside the lock. Its time of modification is since when
// it waits; its time of access, when it was told last, and the change of it wakes it. One
// that does not wait was told in the far future.

import { exiting } from "../index.ts";
import { filesBeside, statOf } from "../durable/lock/lock-path.ts";
import { builtin, clearTimeout, now, setImmediate, setTimeout, timeOfDay } from "../platform/node-builtins.ts";

/** How long one thread may take a lock again and again while others wait, in milliseconds: to change hands costs more than a turn. */
const SLICE = 5;

/**
 * How long it then leaves the lock to the one that was told, in milliseconds; and how much
 * longer to each other that waits, up to the most: who comes before its turn takes another's.
 */
export const LEFT_FOR = 25;
const LEFT_FOR_AT_MOST = 100;

/** How long it leaves the lock to those who wait and cannot be told: longer than they take to look again. */
const LEFT_TO_UNTOLD_FOR = 60;

/**
 * Who was told and has not taken the lock is told again after so long, in milliseconds,
 * and then after twice as long each time: it may be dead, or stopped.
 */
const TOLD_AGAIN_AFTER = 50;

/** In a directory with more files, such as /tmp, a look for waiters takes long: these take no more than a part of the time. */
const MANY_FILES = 500;
const PART_FOR_LOOKS = 1 / 20;

const fs = builtin("fs");

/** Those of this thread, by their locks, as long as there is something to know. */
const known = new Map<string, LockTurns>();

/** How long this thread leaves a lock to others, in milliseconds. */
export function leavesFor(lock: string): number {
  return known.get(lock)?.leavesFor ?? 0;
}

export function turnsAt(lock: string): LockTurns {
  const turns = known.get(lock) ?? new LockTurns(lock);
  known.set(lock, turns);
  return turns;
}

/** The turns of one thread at one lock. */
export class LockTurns {
  readonly #lock: string;
  #sliceSince: number | undefined;
  #leftUntil = Number.NEGATIVE_INFINITY;
  #isOffered = false;
  /** When there may be another look for waiters. */
  #lookAt = Number.NEGATIVE_INFINITY;
  #forgetting: NodeJS.Timeout | undefined;

  constructor(lock: string) {
    this.#lock = lock;
  }

  /** How long this thread leaves the lock to others, in milliseconds. */
  get leavesFor(): number {
    return this.#leftUntil - now();
  }

  taken(): void {
    this.#isOffered = false;
    this.#leftUntil = Number.NEGATIVE_INFINITY; // the others have had their turns, however short
    this.#sliceSince ??= now();
  }

  /** @param waiting the file of this thread, where others in it wait for the lock */
  released(waiting: string | undefined): void {
    const isOver = this.#sliceSince !== undefined && now() - this.#sliceSince >= SLICE;
    if (isOver || exiting.aborted) {
      this.#offer();
      return;
    }
    if (waiting !== undefined) wake(waiting);
    if (this.#isOffered) return;
    this.#isOffered = true;
    // Whoever takes it again does so before the event loop's next turn.
    setImmediate(() => {
      if (this.#isOffered) this.#offer();
    });
  }

  #offer(): void {
    this.#isOffered = false;
    this.#sliceSince = undefined;
    const time = now();
    if (time < this.#lookAt) {
      this.#isOffered = true;
      setTimeout(() => {
        if (this.#isOffered) this.#offer();
      }, this.#lookAt - time).unref();
      return;
    }
    const waiting = this.#longestWaiting((files) => {
      if (files > MANY_FILES) this.#lookAt = now() + (now() - time) / PART_FOR_LOOKS;
    });
    const isTold = waiting.some(wake);
    if (waiting.length > 0) {
      const leftFor = isTold ? LEFT_FOR + waiting.length * SLICE : LEFT_TO_UNTOLD_FOR;
      this.#leftUntil = now() + Math.min(leftFor, LEFT_FOR_AT_MOST);
    }
    this.#forgetLater();
  }

  /** Ends when there is nothing to know any more. */
  #forgetLater(): void {
    clearTimeout(this.#forgetting);
    const left = Math.max(this.#leftUntil, this.#lookAt) - now();
    if (left <= 0) {
      known.delete(this.#lock);
      return;
    }
    this.#forgetting = setTimeout(() => {
      if (this.#sliceSince === undefined) this.#forgetLater();
    }, left).unref();
  }

  /** Returns the files of those who wait, the longest first; not of those who were told just now. */
  #longestWaiting(looked: (files: number) => void): string[] {
    if (statOf(this.#lock) !== undefined) return []; // somebody was quicker
    const time = timeOfDay();
    const waiting: { path: string; since: number }[] = [];
    for (const { path, kind } of filesBeside(this.#lock, looked)) {
      const stats = kind === "owner" ? statOf(path) : undefined;
      // A waiter's file has no other name.
      if (stats?.isFile() !== true || stats.nlink > 1) continue;
      const { atimeMs: toldAt, mtimeMs: since } = stats;
      if (time - toldAt >= Math.max(TOLD_AGAIN_AFTER, toldAt - since)) waiting.push({ path, since });
    }
    return waiting.sort((a, b) => a.since - b.since).map(({ path }) => path);
  }
}

/** Changes the time at which a waiter was told last. Reports whether it could: it may be gone, or another user's, and looks by itself. */
function wake(file: string): boolean {
  try {
    const { mtime } = fs.lstatSync(file);
    fs.lutimesSync(file, timeOfDay() / 1_000, mtime);
    return true;
  } catch {
    return false;
  }
}
