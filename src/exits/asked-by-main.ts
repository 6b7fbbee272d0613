// A worker thread that its main thread asks to clean up: worker.terminate()
// ends a thread without a word to it. The question comes over a channel of its
// own, since the port of a worker is the program's.

import { describeExit } from "../exit.js";
import type { Leaving, Standing } from "./way-out.js";

/** The name of the channel. */
export const CHANNEL = "atexit.workers.1";

/** From the main thread to all workers. */
export interface Question {
  /** `end`: clean up and end; `clean`: clean up, the thread is ended by whoever owns it. */
  readonly ask: "who" | "end" | "clean";
  /** The thread that is meant. */
  readonly to: number;
}

/** From a worker to the main thread. */
export interface Answer {
  readonly from: number;
  /** Whether anything is registered there, or that all of it has been cleaned up. */
  readonly is: "filled" | "empty" | "clean";
}

export function askedByMain(leaving: Leaving): Standing {
  const { stack, shutdown } = leaving;
  const { BroadcastChannel, threadId } = process.getBuiltinModule("worker_threads");
  type Channel = InstanceType<typeof BroadcastChannel>;
  let channel: Channel | undefined;
  const answer = (is: Answer["is"]) => channel?.postMessage({ from: threadId, is } satisfies Answer);

  const onQuestion = ({ ask, to }: Question): void => {
    if (to !== threadId) return;
    answer("filled");
    if (ask === "who" || stack.size === 0 || shutdown.running) return;
    const end = () => {
      answer("clean");
      if (ask === "end") leaving.exitNow(shutdown.code ?? 0);
    };
    if (shutdown.begin(describeExit({ kind: "parent", code: 0 }), end)) end();
  };

  return {
    watch() {
      channel = new BroadcastChannel(CHANNEL);
      channel.onmessage = (event) => onQuestion((event as { data: Question }).data);
      channel.unref();
      answer("filled");
    },
    unwatch() {
      answer("empty");
      channel?.close();
      channel = undefined;
    },
  };
}
