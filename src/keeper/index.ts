// The public API of `atexit/keeper`: cleanups that outlive the machine.

/// <reference lib="esnext.disposable" preserve="true" />

import { beginAt, blameCaller } from "../errors/define-errors.ts";
import { leaseError } from "../errors/lease.ts";
import { resourceError } from "../errors/resources.ts";
import { register, type Registration } from "../index.ts";
import type { LeaseEngine } from "../lease/engine.ts";
import type { Engine } from "../lease/index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { ActionThreads } from "./action-threads.ts";
import { type Action, type Actions, type ActionsOptions, defineActions } from "./actions.ts";
import type { Carried } from "./carried.ts";
import { KeeperLoop } from "./keeper.ts";
import { plantRecipe } from "./plant.ts";
import { announce } from "./publish.ts";
import type { StandardSchema } from "./standard-schema.ts";

export type { Action, Actions, ActionsOptions, Carried, Engine, StandardSchema };

/**
 * Defines the only things that can be asked for, by name. In a module of its own,
 * which programs import and keepers load: importing it must do nothing else. Each
 * must bear being carried out twice.
 *
 * @param functions by their names; arguments are what JSON can carry
 * @param options which module this is, what checks arguments, and what signs recipes
 * @returns the same functions, which {@link plant} takes
 * @throws a `TypeError` with the code `ERR_ATEXIT_OPTION`
 * @example
 * ```ts
 * import { actions } from "atexit/keeper";
 *
 * export const cleanups = actions(
 *   {
 *     async dropSchema(name: string) {
 *       if (!/^test_\w+$/.test(name)) throw new Error(`${name} is no schema of a test`);
 *       console.log(`drop schema if exists ${name} cascade`);
 *     },
 *   },
 *   { module: import.meta.url },
 * );
 * ```
 */
export function actions<A extends Record<string, Action>>(functions: A, options: ActionsOptions<A> = {}): Actions<A> {
  return blameCaller(actions, () => defineActions(functions, options));
}

/**
 * Registers a cleanup that a keeper carries out when this process, its guard and its
 * machine cannot. Resolves when the engine has it: make the resource then, not before.
 *
 * - Every exit that JavaScript sees: carried out here, on the same stack as all others.
 * - SIGKILL, a crash, out of memory: by the guard, where the engine has `env` and the
 *   actions their `module`; what it does not manage is a keeper's at once.
 * - The machine's death: by a keeper, which has seen this process silent for `ttl`.
 *
 * A process that was silent for so long and comes back finds its things gone:
 * `engine.signal` tells it, with the next heartbeat.
 *
 * @param engine what `postgres()` of atexit/postgres or `etcd()` of atexit/etcd return
 * @param action one that {@link actions} returned
 * @param args its arguments, at most 64 KB as JSON
 * @returns a handle, as `register` does: `run()` carries it out now, `cancel()` has the engine forget it
 * @throws (rejects with) a `TypeError` with the code `ERR_ATEXIT_ACTION` or
 *   `ERR_ATEXIT_JSON`; an error with the code `ERR_ATEXIT_RECIPES` where there is too
 *   much of it, or `ERR_ATEXIT_ENGINE` where no answer came for a whole ttl
 * @example
 * ```ts
 * import { plant } from "atexit/keeper";
 * import { cleanups } from "./cleanups.js";
 *
 * await plant(engine, cleanups.dropSchema, "test_42");
 * await pool.query("create schema test_42");
 * ```
 */
export async function plant<F extends Action>(
  engine: Engine,
  action: F,
  ...args: Parameters<F>
): Promise<Registration<Promise<void>>> {
  try {
    return await plantRecipe(plant, checked(engine), action, args);
  } catch (error) {
    throw beginAt(plant, error);
  }
}

/** Options of a keeper. */
export interface KeeperOptions {
  /** How many owners at a time; 10 by default. */
  concurrency?: number;
  /** How long one action may take, in milliseconds; 60,000 by default. Then its thread is ended, and it has failed. */
  timeout?: number;
  /** How often a recipe is tried before it is a dead letter; 8 by default. Pauses grow from a second to an hour. */
  tries?: number;
  /**
   * For an action, the engine's users who may ask for it; an action that is not
   * named may be asked for by all who may plant. PostgreSQL tells who has planted, etcd does not.
   */
  from?: Readonly<Record<string, readonly string[]>>;
  /** Called where the engine does not answer, once until it does again. By default it is a warning of the process. */
  onError?: (error: Error) => void;
}

/** What is told of each recipe. */
export type KeeperEvent = Carried["outcome"];

/** A keeper that was started. */
export interface Keeper extends AsyncDisposable {
  /** Calls back with each recipe of that outcome. The channel `atexit:keeper` of node:diagnostics_channel tells all. */
  on(event: KeeperEvent, listener: (carried: Carried) => void): this;
  /** Begins nothing more, waits for what is under way, and leaves the rest to others. */
  stop(): Promise<void>;
}

/**
 * Carries out what dead owners have left, until it is stopped; at exit it is. Any
 * number of keepers may run, on any machines. Actions run in worker threads: one
 * that blocks stops no heartbeat.
 *
 * A keeper is a deputy: run it with rights for exactly its actions. All keepers of
 * an engine have the same actions, since one that does not know an action makes a
 * dead letter of it.
 *
 * @param engine as {@link plant} takes it
 * @param module the module that exports the actions: a `file:` URL, or an absolute path
 * @param options how many owners at a time, how long an action may take, in milliseconds, and who may ask for what
 * @throws (rejects with) a `TypeError` with the code `ERR_ATEXIT_ACTIONS` or `ERR_ATEXIT_OPTION`; what loading the
 *   module throws; an error with the code `ERR_ATEXIT_ENGINE` where a right or the schema is missing
 * @example
 * ```ts
 * import { keeper } from "atexit/keeper";
 *
 * const running = await keeper(engine, import.meta.resolve("./cleanups.js"));
 * running.on("dead letter", ({ action, args, error }) => console.error(action, args, error));
 * ```
 */
export async function keeper(engine: Engine, module: string | URL, options: KeeperOptions = {}): Promise<Keeper> {
  try {
    return await RunningKeeper.start(checked(engine), module, options);
  } catch (error) {
    throw beginAt(keeper, error);
  }
}

/**
 * One round of a keeper: carries out what is due now, and, once they were seen
 * silent for a whole ttl, what the owners have left who are silent. What fails is
 * left for the next round.
 *
 * @param engine as {@link plant} takes it
 * @param module as {@link keeper} takes it
 * @param options those of {@link keeper}
 * @returns what was carried out, or was tried, in that order
 * @throws (rejects with) what {@link keeper} does; an error with the code `ERR_ATEXIT_ENGINE`
 * @example
 * ```ts
 * import { recoverFrom } from "atexit/keeper";
 *
 * for (const { action, outcome } of await recoverFrom(engine, import.meta.resolve("./cleanups.js"))) {
 *   console.log(action, outcome);
 * }
 * ```
 */
export async function recoverFrom(
  engine: Engine,
  module: string | URL,
  options: KeeperOptions = {},
): Promise<Carried[]> {
  try {
    const carried: Carried[] = [];
    const loop = await loopFor(checked(engine), module, options, (one) => {
      announce(one);
      carried.push(one);
    });
    const registration = register({ name: "stop carrying out what others have left" }, () => loop.stop());
    await loop.runOnce().finally(() => registration.cancel());
    return carried;
  } catch (error) {
    throw beginAt(recoverFrom, error);
  }
}

class RunningKeeper implements Keeper {
  readonly #listeners: (readonly [KeeperEvent, (carried: Carried) => void])[] = [];
  #loop: KeeperLoop | undefined;
  #done: Promise<void> | undefined;

  static async start(engine: LeaseEngine, module: string | URL, options: KeeperOptions): Promise<RunningKeeper> {
    const running = new RunningKeeper();
    const loop = await loopFor(engine, module, options, (carried) => running.#tell(carried));
    await loop.begin();
    running.#loop = loop;
    const registration = register({ name: `keeper on ${engine.name}` }, () => running.stop());
    running.#done = loop.run().finally(() => registration.cancel());
    return running;
  }

  on(event: KeeperEvent, listener: (carried: Carried) => void): this {
    this.#listeners.push([event, listener]);
    return this;
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #tell(carried: Carried): void {
    announce(carried);
    for (const [event, listener] of this.#listeners) {
      // What a listener throws is the program's, and no recipe's.
      if (event === carried.outcome) queueMicrotask(() => listener(carried));
    }
  }
}

async function loopFor(
  engine: LeaseEngine,
  module: string | URL,
  { concurrency = 10, timeout = 60_000, tries = 8, from = {}, onError = warn }: KeeperOptions,
  tell: (carried: Carried) => void,
): Promise<KeeperLoop> {
  for (const [name, value] of Object.entries({ concurrency, tries })) {
    if (!Number.isInteger(value) || value < 1) throw resourceError("ERR_ATEXIT_OPTION", name, value, "a number from 1");
  }
  checkTime("timeout", timeout);
  const threads = await ActionThreads.start(urlOf(module), timeout, engine.clock);
  for (const action of Object.keys(from)) {
    if (threads.has(action)) continue;
    await threads.close();
    throw resourceError("ERR_ATEXIT_OPTION", "from", action, "the names of actions");
  }
  const failed = (error: Error) => queueMicrotask(() => onError(error));
  return new KeeperLoop(() => engine.join(), threads, { concurrency, tries, from }, engine.clock, tell, failed);
}

function warn(error: Error): void {
  process.emitWarning(error);
}

function urlOf(module: string | URL): string {
  const text = String(module);
  if (builtin("path").isAbsolute(text)) return builtin("url").pathToFileURL(text).href;
  if (text.startsWith("file:") && URL.canParse(text)) return text;
  throw resourceError("ERR_ATEXIT_OPTION", "The module of actions", module, "a file: URL, or an absolute path");
}

function checked(engine: Engine): LeaseEngine {
  if ("plant" in Object(engine)) {
    if ((engine as LeaseEngine).keepsRecipes) return engine as LeaseEngine;
    throw leaseError("ERR_ATEXIT_RECIPES", engine.name, "it keeps none, and has ownerReferences for that");
  }
  throw resourceError("ERR_ATEXIT_OPTION", "The engine", engine, "what postgres() of atexit/postgres returns");
}
