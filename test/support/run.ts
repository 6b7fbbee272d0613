// What most tests need around a process: its run, from the tour, and here a
// directory for it, what it has written there, and waiting for what it does.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export { type Ended, linesOf, printed, run, type RunOptions, statusOf } from "../../src/tour/run-process.ts";

/** A directory that is gone after the body. */
export async function withDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "atexit-test-"));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Asks again until it is so, at first at once and then less and less often. The
 * limit, in milliseconds, only keeps a failed test from staying for ever.
 */
export async function until(isSo: () => boolean, limit = 60_000): Promise<void> {
  const end = performance.now() + limit;
  for (let pause = 1; !isSo(); pause = Math.min(pause * 1.5, 25)) {
    if (performance.now() > end) throw new Error(`It has not come to be so: ${isSo}`);
    await sleep(pause);
  }
}

/** Does the work for each item, so many at a time: what mostly waits for processes goes well side by side. */
export async function forEachSideBySide<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const workOff = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, workOff));
}
