// A worker thread that its main thread asks to clean up: worker.terminate()
// ends a thread without a word to it. The question comes over a channel of its
// own, since the port of a worker is the program's.

import { describeExit } from "../registry/exit-reason.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { process } from "../platform/process.ts";

/** The name of the channel. */
export const CHANNEL = "atexit.workers.1";

/** From the main thread to all workers. */
export interface Question {
  /** `end`: clean up and end; `clean`: clean up; the thread's owner ends it. */
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

export function workerShutdownRequest({ stack, shutdown, endProcess }: ExitContext): ExitHandler {
  const { BroadcastChannel, threadId } = process.getBuiltinModule("worker_threads");
  type Channel = InstanceType<typeof BroadcastChannel>;
  let channel: Channel | undefined;
  const answer = (is: Answer["is"]) => channel?.postMessage({ from: threadId, is } satisfies Answer);

  const onQuestion = ({ ask, to }: Question): void => {
    if (to !== threadId) return;
    answer("filled");
    if (ask === "who" || stack.size === 0 || shutdown.isRunning) return;
    const end = () => {
      answer("clean");
      if (ask === "end") endProcess(shutdown.requestedCode ?? 0);
    };
    if (shutdown.begin(describeExit({ kind: "parent", code: 0 }), end)) end();
  };

  return {
    install() {
      channel = new BroadcastChannel(CHANNEL);
      channel.onmessage = (event) => onQuestion((event as { data: Question }).data);
      channel.unref();
      answer("filled");
    },
    uninstall() {
      answer("empty");
      channel?.close();
      channel = undefined;
    },
  };
}
