// Cleanups that end when a test says so.

import { setImmediate as turn } from "node:timers/promises";

/** A cleanup whose promise settles when the test says so. */
export function pending<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  let calls = 0;
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  const cleanup = () => {
    calls += 1;
    return promise;
  };
  return {
    cleanup,
    resolve: (value: T) => resolve(value),
    reject: (error: unknown) => reject(error),
    calls: () => calls,
  };
}

/** Whether a promise has settled, after everything that was ready to run has run. */
export async function isSettled(promise: unknown): Promise<boolean> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  Promise.resolve(promise).then(settle, settle);
  await turn();
  return settled;
}
