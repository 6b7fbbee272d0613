// PM2 asks a process to end with the message "shutdown" where signals cannot
// (https://pm2.keymetrics.io/docs/usage/signals-clean-restart/). To receive it
// takes a listener, and Node changes two things for that: the channel keeps the
// process alive, and messages no longer wait for the program's own listener.
// Both are undone here.

import { describeExit } from "../exit.js";
import { decidesOnShutdownMessage } from "./neighbours.js";
import type { Leaving, Standing } from "./way-out.js";

/** What Node has on `process.channel` beyond its documentation; without it, nothing is listened to. */
interface Channel {
  refCounted(): void;
  unrefCounted(): void;
  [pending: symbol]: unknown[];
}

type Listener = (message: unknown, handle: unknown) => void;

export function shutdownMessage(leaving: Leaving): Standing {
  const { stack, shutdown } = leaving;
  let channel: Channel | undefined;
  let pending: symbol | undefined;

  const onMessage: Listener = (message, handle) => {
    const others = process.listeners("message").filter((listener) => listener !== onMessage);
    if (message === "shutdown" && stack.size > 0 && !others.some(decidesOnShutdownMessage)) {
      const end = () => leaving.exitNow(shutdown.code ?? 0);
      if (!shutdown.running && shutdown.begin(describeExit({ kind: "disconnect", code: 0 }), end)) end();
    }
    // Node hands over what waits there when the program's first listener comes.
    if (others.length === 0 && pending !== undefined) channel?.[pending]?.push(["message", message, handle]);
  };

  return {
    watch() {
      channel = process.channel as unknown as Channel | undefined;
      if (typeof channel?.unrefCounted !== "function") return;
      pending = Object.getOwnPropertySymbols(channel).find((symbol) => symbol.description === "kPendingMessages");
      if (pending === undefined) return;
      process.on("message", onMessage);
      channel.unrefCounted();
    },
    unwatch() {
      if (pending === undefined) return;
      channel?.refCounted();
      process.off("message", onMessage);
      pending = undefined;
    },
  };
}
