// Output that the program has written and the system has not taken yet: a full
// pipe takes 64 KB at once, and process.exit() drops the rest.

import { clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

/**
 * Waits until stdout and stderr have taken all that was written to them, or
 * their reader is gone.
 *
 * @param limit the longest wait, in milliseconds
 * @returns `undefined` where nothing is pending
 */
export function flushed(limit: number): Promise<void> | undefined {
  const pending = pendingStreams();
  if (pending.length === 0 || limit <= 0) return undefined;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limit);
    void Promise.all(pending.map(drained)).then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** To look at process.stdout is to open it, so look first whether anything is being written at all. */
function pendingStreams(): NodeJS.WriteStream[] {
  if (!process.getActiveResourcesInfo().some((name) => name.endsWith("WriteWrap"))) return [];
  return [process.stdout, process.stderr].filter(isPending);
}

function isPending(stream: NodeJS.WriteStream): boolean {
  return stream.writableLength > 0 && !stream.destroyed && !stream.errored;
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      if (isPending(stream)) return;
      stream.off("close", resolve);
      stream.off("error", resolve);
      resolve();
    };
    stream.once("close", resolve);
    stream.once("error", resolve);
    // An empty write is called back when all before it has been taken.
    stream.write("", done);
  });
}
