// PM2 asks a process to end with the message "shutdown" where signals cannot
// (https://pm2.keymetrics.io/docs/usage/signals-clean-restart/). To receive it
// takes a listener, and Node changes two things for that: the channel keeps the
// process alive, and messages no longer wait for the program's own listener.
// Both are undone here. In Bun neither happens.

import { describeExit } from "../registry/exit-reason.ts";
import { isBun } from "./error-listeners.ts";
import { decidesOnShutdownMessage } from "./known-libraries.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { markListener } from "./stacks-of-process.ts";
import { process } from "../platform/process.ts";

/** What Node has on `process.channel` beyond its documentation; without it, nothing is listened to. */
interface Channel {
  refCounted(): void;
  unrefCounted(): void;
  [pending: symbol]: unknown[];
}

type Listener = (message: unknown, handle: unknown) => void;

export function pm2ShutdownMessage({ stack, shutdown, endProcess }: ExitContext): ExitHandler {
  let channel: Channel | undefined;
  let pending: symbol | undefined;

  const onMessage = markListener<Listener>((message, handle) => {
    const others = process.listeners("message").filter((listener) => listener !== onMessage);
    if (message === "shutdown" && stack.size > 0 && !others.some(decidesOnShutdownMessage)) {
      const end = () => endProcess(shutdown.requestedCode ?? 0);
      if (!shutdown.isRunning && shutdown.begin(describeExit({ kind: "disconnect", code: 0 }), end)) end();
    }
    // Node hands over what waits there when the program's first listener comes.
    if (others.length === 0 && pending !== undefined) channel?.[pending]?.push(["message", message, handle]);
  });

  return {
    install() {
      if (isBun) {
        process.on("message", onMessage);
        return;
      }
      channel = process.channel as unknown as Channel | undefined;
      if (typeof channel?.unrefCounted !== "function") return;
      pending = Object.getOwnPropertySymbols(channel).find((symbol) => symbol.description === "kPendingMessages");
      if (pending === undefined) return;
      process.on("message", onMessage);
      channel.unrefCounted();
    },
    uninstall() {
      if (pending === undefined && !isBun) return;
      channel?.refCounted();
      process.off("message", onMessage);
      pending = undefined;
    },
  };
}
