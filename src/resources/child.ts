// A child process that ends with this one, with all its descendants.

import type { ChildProcess } from "node:child_process";
import { forResources, type KillOptions } from "../durable/index.js";
import { MARK, processesSince, treeOf } from "../durable/processes.js";
import { describeKill } from "../durable/recipes/kill.js";
import type { Registration } from "../index.js";
import type { Callee } from "./registering.js";

/** A child that ends with this process. */
export interface Child<C extends ChildProcess = ChildProcess> extends AsyncDisposable {
  readonly process: C;
  /**
   * Ends it and its descendants now: asks first, and kills after the grace
   * period.
   *
   * @throws (rejects with) an error with the code `ERR_ATEXIT_STILL_THERE`
   */
  end(): Promise<void>;
  /** Lets it live on when this process ends. */
  release(): void;
}

/** The mark that was made in this turn, for a child that is not known yet. */
let newestMark: string | undefined;

/** An environment for a child, by which its descendants can be found wherever they have gone. */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // Nobody has to be kept from guessing it, and to load crypto takes 2 ms.
  newestMark = [process.pid, process.hrtime.bigint(), Math.random()].map((part) => part.toString(36)).join("-");
  void Promise.resolve().then(() => (newestMark = undefined));
  return { ...env, [MARK]: newestMark };
}

/** @param guardLater see {@link forResources} */
export function endsWithThis<C extends ChildProcess>(
  callee: Callee,
  process_: C,
  options: KillOptions,
  guardLater = false,
): Child<C> {
  // One that could not be started tells so itself, with its `error` event.
  if (process_.pid === undefined) return handle(process_, undefined);
  // A child that has ended by now shows its mark no more; its descendants have it.
  const recipe = describeKill(process_, options, newestMark);
  newestMark = undefined;
  const registration = forResources.add<Promise<void>>(callee, recipe, guardLater);
  process_.once("exit", () => {
    // What it has left, and can still be found, ends with this process.
    if (treeOf(recipe, [], processesSince(recipe)).length === 0) registration.cancel();
  });
  return handle(process_, registration);
}

function handle<C extends ChildProcess>(process_: C, registration: Registration<Promise<void>> | undefined): Child<C> {
  return {
    process: process_,
    async end() {
      await registration?.run();
    },
    release() {
      registration?.cancel();
    },
    async [Symbol.asyncDispose]() {
      await registration?.run();
    },
  };
}
