// The two tracing channels of node:diagnostics_channel that tell of shutdowns:
// `atexit:shutdown` and `atexit:cleanup`. Without subscribers they cost one
// question for a whole shutdown.
// Source: https://nodejs.org/api/diagnostics_channel.html#class-tracingchannel

import { builtin } from "../platform/node-builtins.ts";
import { TracePublisher } from "./trace-publisher.ts";
import { process } from "../platform/process.ts";

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

/** The channels of one thread. */
export class Channels {
  #publisher: TracePublisher | undefined;
  #hasSubscribers = false;

  /** The publisher, where there were subscribers at the last check. */
  get publisher(): TracePublisher | undefined {
    return this.#hasSubscribers ? this.#publisher : undefined;
  }

  /** Checks before a cleanup that the program runs itself: there may be a million. */
  checkSubscribers(): TracePublisher | undefined {
    this.#publisher ??= new TracePublisher();
    this.#hasSubscribers = this.#publisher.hasCleanupSubscribers || this.#publisher.isInShutdown;
    return this.publisher;
  }

  /** Checks before a shutdown, by the names alone: to make the channels takes longer than most shutdowns. */
  checkShutdownSubscribers(): TracePublisher | undefined {
    if (this.#publisher?.isInShutdown === true) return undefined;
    this.#hasSubscribers = false;
    if (!isChannelModuleLoaded()) return undefined;
    const { hasSubscribers } = builtin("diagnostics_channel");
    this.#hasSubscribers = EVENTS.some(
      (event) =>
        hasSubscribers(`tracing:atexit:cleanup:${event}`) || hasSubscribers(`tracing:atexit:shutdown:${event}`),
    );
    if (this.#hasSubscribers) this.#publisher ??= new TracePublisher();
    return this.publisher;
  }
}

/** Whether subscribers are possible: Node 20 loads the module when a program first asks for it. */
function isChannelModuleLoaded(): boolean {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  return moduleLoadList?.includes("NativeModule diagnostics_channel") !== false;
}
