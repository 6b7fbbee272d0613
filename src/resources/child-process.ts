// A child process that ends with this one, with all its descendants.

import type { ChildProcess } from "node:child_process";
import { forResources, type KillOptions } from "../durable/index.ts";
import { followChild } from "../durable/recipes/follow-child.ts";
import { describeKill, isChild } from "../durable/recipes/kill.ts";
import { beginAt, blameCaller } from "../errors/define-errors.ts";
import { resourceError } from "../errors/resources.ts";
import type { Registration } from "../index.ts";
import { MARK } from "../platform/process-environment.ts";
import { killByHandle } from "./child-by-handle.ts";
import type { Callee } from "./register-for-caller.ts";
import { process } from "../platform/process.ts";
import { system } from "../platform/this-system.ts";

/** A child that ends with this process. */
export interface Child<C extends ChildProcess = ChildProcess> extends AsyncDisposable {
  readonly process: C;
  /**
   * Ends the child and its descendants now: asks first, and kills after the
   * grace period.
   *
   * @throws (rejects with) an error with the code `ERR_ATEXIT_STILL_THERE`
   */
  end(): Promise<void>;
  /** Lets the child live on when this process ends. */
  release(): void;
}

/** Options for the end of a child. */
export interface ChildOptions extends KillOptions {
  /**
   * The environment that the child was given, where {@link childEnvironment} made
   * it: the environment of a child that has ended cannot be read.
   */
  env?: NodeJS.ProcessEnv;
}

/** Returns an environment for a child, by which its descendants can be found wherever they have gone. */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // The mark need not be hard to guess, and to load crypto takes 2 ms.
  const mark = [process.pid, process.hrtime.bigint(), Math.random()].map((part) => part.toString(36)).join("-");
  return { ...env, [MARK]: mark };
}

/**
 * @param guardLater see {@link forResources}
 * @throws a `TypeError` with the code `ERR_ATEXIT_OPTION` for what is no child process
 */
export function killAtExit<C extends ChildProcess>(
  callee: Callee,
  process_: C,
  options: ChildOptions,
  guardLater = false,
): Child<C> {
  if (!isChild(process_)) {
    const error = resourceError(
      "ERR_ATEXIT_OPTION",
      "The child",
      process_,
      "what spawn() returned; kill() takes a pid",
    );
    throw beginAt(callee, error);
  }
  // A child that could not be started tells so itself, with its `error` event.
  if (process_.pid === undefined) return handle(process_, undefined);
  if (!system.seesOwnPids())
    return handle(
      process_,
      blameCaller(callee, () => killByHandle(callee, process_, options)),
    );
  const recipe = blameCaller(callee, () => describeKill(process_, options, options.env?.[MARK]));
  // Whatever becomes of the look at its tree, the child itself is ended by the handle that Node has.
  const byHandle = system.hasSignals ? undefined : killByHandle(callee, process_, options, false);
  const { registration, pending } = forResources.add(callee, () => recipe, { guardLater });
  // Descendants that the child leaves, and that can be found, end with this process.
  followChild(process_, recipe, { update: (newer) => pending.update(newer), cancel: () => registration.cancel() });
  return handle(process_, registration, byHandle);
}

function handle<C extends ChildProcess>(
  process_: C,
  registration: Registration<Promise<void>> | undefined,
  byHandle?: Registration<Promise<void>>,
): Child<C> {
  const end = async () => {
    try {
      await registration?.run();
    } finally {
      await byHandle?.run();
    }
  };
  return {
    process: process_,
    end,
    release() {
      registration?.cancel();
      byHandle?.cancel();
    },
    [Symbol.asyncDispose]: end,
  };
}
