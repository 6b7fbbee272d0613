// What a shutdown tells whoever looks, on two tracing channels of
// node:diagnostics_channel: `atexit:shutdown` and `atexit:cleanup`. Where nobody
// looks it is one question for a whole shutdown.
// Source: https://nodejs.org/api/diagnostics_channel.html#class-tracingchannel

import { builtin } from "./builtin.js";
import type { Exit } from "./exit.js";
import type { RegistrationStack } from "./registration.js";
import telling, { type Telling } from "./telling.js" with { type: "late" };

/**
 * What became of a cleanup: `timed out`: it had its time; `given up`: the
 * shutdown had none left, or was told a second time to end; `left to the guard`:
 * the same of a durable cleanup, which another process carries out; `done at the
 * next start`: this process has carried it out for one that had died.
 */
export type Outcome = "ok" | "failed" | "timed out" | "given up" | "left to the guard" | "done at the next start";

/** A cleanup, as the subscribers of `tracing:atexit:cleanup:*` are given it: one object at all its events. */
export interface TracedCleanup {
  /** What reports call it. */
  readonly name: string;
  /** Where it was registered, `function (file:line:column)`; unknown where thousands are registered in a second. */
  readonly site: string | undefined;
  /** When it began, in milliseconds since 1970; `undefined` before. */
  startedAt: number | undefined;
  /** When it is given up, in milliseconds since 1970; `undefined` where nobody gives it up, and before it begins. */
  deadline: number | undefined;
  /** Of a durable cleanup: its journal's name and its number there. */
  readonly durable: string | undefined;
  /** The cleanup that has called its `run()`, where it was one. */
  within: TracedCleanup | undefined;
  /** The shutdown that it is a part of, or that waits for it; `undefined` where the program itself runs it. */
  shutdown: TracedShutdown | undefined;
  /** `undefined` until it is over: at `end` where it is synchronous, and at `asyncEnd` where it is not. */
  outcome: Outcome | undefined;
  /** What it threw, or was rejected with. */
  error: unknown;
}

/** A shutdown, as the subscribers of `tracing:atexit:shutdown:*` are given it: one object at all its events. */
export interface TracedShutdown {
  readonly exit: Exit;
  /** When the grace period ends, in milliseconds since 1970. */
  readonly deadline: number;
  /** The grace period, in milliseconds. */
  readonly grace: number;
  /** What was registered when it began, in the order in which it is due. */
  readonly queue: readonly TracedCleanup[];
  /** `undefined` until it is over; `given up` where the grace period was, or where it was told a second time to end. */
  outcome: "ok" | "failed" | "given up" | undefined;
}

type Channel<T extends object> = import("node:diagnostics_channel").TracingChannel<unknown, T>;

/** Both channels, once somebody may look. */
export interface Open {
  readonly shutdowns: Channel<TracedShutdown>;
  readonly cleanups: Channel<TracedCleanup>;
}

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

/** The channels of one thread. */
export class Channels {
  #open: Open | undefined;
  #telling: Telling | undefined;
  /** Whether anybody was there when it was last asked. */
  #areWatched = false;

  /** Who tells, where there is anybody to be told. */
  get telling(): Telling | undefined {
    return this.#areWatched ? this.#telling : undefined;
  }

  /** Asks before a cleanup that the program runs itself: there may be a million. */
  look(): boolean {
    this.#open ??= open();
    this.#areWatched = this.#open.cleanups.hasSubscribers || this.#telling?.isInShutdown === true;
    if (this.#areWatched) this.#telling ??= telling(this.#open);
    return this.#areWatched;
  }

  /** Asks before a shutdown, by the names alone: to make the channels takes longer than most shutdowns. */
  #lookOnce(): boolean {
    this.#areWatched = false;
    if (!areChannelsLoaded()) return false;
    const { hasSubscribers } = builtin("diagnostics_channel");
    this.#areWatched = EVENTS.some(
      (event) =>
        hasSubscribers(`tracing:atexit:cleanup:${event}`) || hasSubscribers(`tracing:atexit:shutdown:${event}`),
    );
    return this.#areWatched;
  }

  /** Runs the first, synchronous part of a shutdown. */
  begin<T>(exit: Exit, deadline: number, grace: number, stack: RegistrationStack, body: () => T): T {
    if (this.#telling?.isInShutdown === true || !this.#lookOnce()) return body();
    this.#telling ??= telling((this.#open ??= open()));
    return this.#telling.begin(exit, deadline, grace, stack, body);
  }
}

/** Node 20 loads them when somebody asks for them: until then nobody has subscribed. */
function areChannelsLoaded(): boolean {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  return moduleLoadList?.includes("NativeModule diagnostics_channel") !== false;
}

function open(): Open {
  const { tracingChannel } = builtin("diagnostics_channel");
  return { shutdowns: tracingChannel("atexit:shutdown"), cleanups: tracingChannel("atexit:cleanup") };
}

/** Those of the thread whose stack it is. */
export function channelsOf(stack: RegistrationStack): Channels {
  stack.channels ??= new Channels();
  return stack.channels;
}
